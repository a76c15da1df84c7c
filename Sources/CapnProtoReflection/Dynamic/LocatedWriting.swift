// Writing what was parsed: what goes wrong is said with its place in the input.

extension DynamicStruct.Builder {
  @_lifetime(copy self)
  func initStruct(_ field: Schema.Field, at offset: Int) throws(ParseFailure) -> DynamicStruct.Builder {
    do throws(ReflectionError) { return try initStruct(field) } catch { throw ParseFailure(.value(error), at: offset) }
  }

  @_lifetime(copy self)
  func structure(_ field: Schema.Field, at offset: Int) throws(ParseFailure) -> DynamicStruct.Builder {
    do throws(ReflectionError) { return try structure(field) } catch { throw ParseFailure(.value(error), at: offset) }
  }

  @_lifetime(copy self)
  func initList(_ field: Schema.Field, count: Int, at offset: Int) throws(ParseFailure) -> DynamicList.Builder {
    do throws(ReflectionError) {
      return try initList(field, count: count)
    } catch {
      throw ParseFailure(.value(error), at: offset)
    }
  }

  func set(_ field: Schema.Field, to value: PlainValue, at offset: Int) throws(ParseFailure) {
    do throws(ReflectionError) { try set(field, to: value) } catch { throw ParseFailure(.value(error), at: offset) }
  }
}

extension DynamicList.Builder {
  @_lifetime(copy self)
  func structure(_ index: Int, at offset: Int) throws(ParseFailure) -> DynamicStruct.Builder {
    do throws(ReflectionError) { return try structure(index) } catch { throw ParseFailure(.value(error), at: offset) }
  }

  @_lifetime(copy self)
  func initList(_ index: Int, count: Int, at offset: Int) throws(ParseFailure) -> DynamicList.Builder {
    do throws(ReflectionError) {
      return try initList(index, count: count)
    } catch {
      throw ParseFailure(.value(error), at: offset)
    }
  }

  func set(_ index: Int, to value: PlainValue, at offset: Int) throws(ParseFailure) {
    do throws(ReflectionError) { try set(index, to: value) } catch { throw ParseFailure(.value(error), at: offset) }
  }
}

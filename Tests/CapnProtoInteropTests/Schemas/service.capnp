@0xf02c9a65d8b7e143;
# Interfaces, and capabilities in messages.

interface Service {
  # What the doc comment of an interface becomes.
  struct Request { id @0 :UInt32; }
  call @0 (request :Request) -> (text :Text);
  # What the doc comment of a method becomes.
}

struct WithCapability {
  service @0 :Service;
  services @1 :List(Service);
  after @2 :Service.Request;
}

interface Named {
  # Extended by others.
  name @0 () -> (name :Text);
}

interface Container(Item) extends(Named) {
  # Generic, with methods whose parameters and results are declared structs.
  get @0 Key -> (item :Item, tags :List(Text) = ["none"]);
  put @1 (key :Key, item :Item) -> Receipt(Item);
  find @2 [Pattern] (pattern :Pattern) -> (matches :List(Key), rest :Text);

  struct Key { path @0 :List(Text); }
  struct Receipt(Kept) { kept @0 :Kept; }
}

interface Store extends(Service, Container(Data)) {
  # Inherits from two, and from `Named` through one of them.
  last @1 () -> (key :Container(Data).Key);
  write @0 (bytes :Data) -> stream;
  done @2 ();
}

interface Odd {
  # Methods whose names, types and parameters clash with what is generated.
  struct Params { value @0 :Int32; }
  struct Results { value @0 :Int32; }
  struct Same { value @0 :Int32; }
  params @0 Params -> Results;
  same @1 (same :Same, self :Int8) -> (results :Results, init :Bool);
  type @2 (type :Odd) -> (interface :Odd);
  const interface :Text = "constant";
}

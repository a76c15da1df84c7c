@0xd49a1c6e02b7f853;
# Constants of every type that is a pointer.

using Everything = import "everything.capnp".Everything;
using Color = import "everything.capnp".Color;

const person :Everything.Nested = (name = "constant", value = -9, mood = wild, child = (name = "inner"));
# A constant struct of a file.

const everything :Everything = (
  int8 = -1, text = "é", data = 0x"01 02 ff", color = blue, nested = .person,
  texts = ["a", "b"], bools = [true, false, true], numberLists = [[1], [], [2, 3]], structs = [.person, (value = 7)]);
# Refers to another constant.

const empty :Everything = ();

const primes :List(UInt16) = [2, 3, 5, 7];

struct Constants {
  # A namespace, whose constants are static properties.
  const names :List(Text) = ["Ada", "Grace"];
  const people :List(Everything.Nested) = [.person, (name = "second", value = 2)];
  const grid :List(List(Bool)) = [[true], [false, true]];
  const colors :List(Color) = [green, red];
  const blobs :List(Data) = ["x", 0x"ff 00"];
  const voids :List(Void) = [void, void];
  const none :List(Int64) = [];
  const nothing :Void = void;
}

@0xa93c4f1e7d20b586;
# Who there is.

struct Person {
  name @0 :Text;
  email @1 :Text;
  phones @2 :List(Phone);

  struct Phone {
    number @0 :Text;
    kind @1 :Kind;

    enum Kind { mobile @0; home @1; work @2; }
  }
}

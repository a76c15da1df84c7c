@0xbca412c915f90eb1;

struct Ping {
  # What a benchmark sends back and forth.

  payload @0 :Data;
  # Bytes without meaning.
}

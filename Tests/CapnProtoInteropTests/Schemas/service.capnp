@0xf02c9a65d8b7e143;
# Interfaces, which are not generated, do not stand in the way of what is.

interface Service {
  # Methods are not generated yet, but what is declared inside is.
  struct Request { id @0 :UInt32; }
  call @0 (request :Request) -> (text :Text);
}

struct WithCapability {
  service @0 :Service;
  services @1 :List(Service);
  after @2 :Service.Request;
}

// The code of this module is generated from its schemas.

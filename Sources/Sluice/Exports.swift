// What an application needs, under one name.
@_exported import CapnProto
@_exported import SluiceChannel
@_exported import SluiceContainers
@_exported import SluiceMemory
@_exported import SluiceSession
@_exported import SluiceSystem
@_exported import SluiceTransport

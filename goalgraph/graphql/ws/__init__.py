"""GraphQL over WebSocket: `protocol` is the two subprotocols without I/O, `socket` one connection, `server` all of a process."""

package dev.peerbar.driver.socket;

import dev.peerbar.driver.socket.SocketDevice.Access;
import dev.peerbar.driver.socket.SocketDevice.Reach;
import dev.peerbar.endpoint.Endpoint;
import dev.peerbar.pci.DoorbellMode;
import dev.peerbar.protocol.Capabilities;
import dev.peerbar.protocol.client.VfioUserClient;
import dev.peerbar.server.EndpointServer;
import dev.peerbar.server.fixture.Serving;
import java.io.IOException;
import java.nio.file.Path;

/** A function that is served in this process, as its driver has it over a real socket. */
record ServedDevice(EndpointServer server, SocketDevice device) {

  /** How a driver and a function reach each other. */
  enum Way {
    /** The server maps the driver's memory, and is told of each access of a register. */
    AS_USUAL(DoorbellMode.TRAP, Access.MESSAGES, Reach.DIRECTLY),
    /** Nobody waits for a store to a register. */
    POSTED_STORES(DoorbellMode.TRAP, Access.POSTED, Reach.DIRECTLY),
    /** Doorbells are stores to shared memory. */
    MAPPED_DOORBELLS(DoorbellMode.MAP, Access.SHARED, Reach.DIRECTLY),
    /** The server asks for the driver's memory. */
    MEMORY_BY_MESSAGES(DoorbellMode.TRAP, Access.MESSAGES, Reach.BY_MESSAGES);

    private final DoorbellMode doorbells;
    private final Access registers;
    private final Reach memory;

    Way(DoorbellMode doorbells, Access registers, Reach memory) {
      this.doorbells = doorbells;
      this.registers = registers;
      this.memory = memory;
    }

    DoorbellMode doorbells() {
      return doorbells;
    }

    /** Serves an endpoint, with registers in BAR 0, and connects. */
    ServedDevice open(Path directory, Endpoint endpoint) throws IOException {
      Path path = directory.resolve("device.sock");
      EndpointServer server = Serving.start("device", endpoint, path);
      VfioUserClient client = VfioUserClient.connect(path);
      client.negotiate(Capabilities.DEFAULTS);
      return new ServedDevice(server, new SocketDevice(client, memory).accessBar(0, registers));
    }
  }
}

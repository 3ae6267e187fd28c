package dev.peerbar.cli;

import dev.peerbar.endpoint.EndpointContext;
import dev.peerbar.server.ListenAddress;
import dev.peerbar.server.storage.HostMemory;
import dev.peerbar.server.storage.ImageFile;
import dev.peerbar.storage.Storage;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** What one endpoint keeps its blocks in: opened while it is made, closed after its server. */
final class OpenedStorage implements EndpointContext, AutoCloseable {
  private final ListenAddress place;
  private final List<Storage> opened = new ArrayList<>();

  OpenedStorage(ListenAddress place) {
    this.place = place;
  }

  @Override
  public Storage image(Path path) throws IOException {
    return remember(ImageFile.open(path));
  }

  @Override
  public Storage memory(long size) throws IOException {
    return remember(HostMemory.storage(size));
  }

  @Override
  public String serialNumber(Optional<Path> image) {
    return DerivedSerial.of(image, place);
  }

  private Storage remember(Storage storage) {
    opened.add(storage);
    return storage;
  }

  @Override
  public void close() {
    opened.forEach(Storage::close);
  }
}

package dev.peerbar.server.function;

import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.Optional;

/** A memory BAR. */
record MemoryRegion(SharedBar bar) implements Region {

  @Override
  public long size() {
    return bar.memory().byteSize();
  }

  @Override
  public void read(long offset, ByteBuffer into) {
    MemorySegment target = MemorySegment.ofBuffer(into);
    target.copyFrom(bar.memory().asSlice(offset, target.byteSize()));
    into.position(into.limit());
  }

  @Override
  public void write(long offset, ByteBuffer from) {
    MemorySegment source = MemorySegment.ofBuffer(from);
    bar.memory().asSlice(offset, source.byteSize()).copyFrom(source);
    from.position(from.limit());
  }

  @Override
  public Optional<Sharing> sharing() {
    return Optional.of(new Sharing(bar.descriptor(), List.of()));
  }
}

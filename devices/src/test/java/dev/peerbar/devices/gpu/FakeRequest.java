package dev.peerbar.devices.gpu;

import dev.peerbar.endpoint.DmaFaultException;
import dev.peerbar.endpoint.Job;
import dev.peerbar.endpoint.JobEndedException;
import dev.peerbar.virtio.VirtioRequest;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.List;

/** A request in arrays, and what became of it. */
final class FakeRequest implements VirtioRequest {
  private final byte[] sent;
  private final byte[] room;
  private final List<FakeRequest> completed;
  private boolean unreadable;
  private boolean readBeyond;
  private long written = -1;

  /**
   * @param completed where it puts itself when it is given back
   */
  FakeRequest(byte[] sent, int room, List<FakeRequest> completed) {
    this.sent = sent;
    this.room = new byte[room];
    this.completed = completed;
  }

  /** Has the client's memory be gone in which it is. */
  FakeRequest unreadable() {
    unreadable = true;
    return this;
  }

  /** Whether the device has tried to read what the driver did not send. */
  boolean readBeyond() {
    return readBeyond;
  }

  boolean done() {
    return written >= 0;
  }

  long written() {
    return written;
  }

  int type() {
    return word(0);
  }

  int word(int offset) {
    return response().getInt(offset);
  }

  ByteBuffer response() {
    return ByteBuffer.wrap(room).order(ByteOrder.LITTLE_ENDIAN);
  }

  @Override
  public long readable() {
    return sent.length;
  }

  @Override
  public long writable() {
    return room.length;
  }

  @Override
  public void read(Job job, long offset, MemorySegment into)
      throws DmaFaultException, JobEndedException {
    alive(job);
    if (unreadable) {
      throw new DmaFaultException(
          DmaFaultException.Access.READ, DmaFaultException.Reason.UNMAPPED, offset, 0);
    }
    if (offset + into.byteSize() > sent.length) {
      readBeyond = true;
      throw new IndexOutOfBoundsException("%d+%d".formatted(offset, into.byteSize()));
    }
    into.copyFrom(MemorySegment.ofArray(sent).asSlice(offset, into.byteSize()));
  }

  @Override
  public void write(Job job, long offset, MemorySegment from) throws JobEndedException {
    alive(job);
    MemorySegment.ofArray(room).asSlice(offset, from.byteSize()).copyFrom(from);
  }

  @Override
  public void complete(Job job, long bytes) throws JobEndedException {
    alive(job);
    if (done()) {
      throw new IllegalStateException("given back twice");
    }
    if (bytes > room.length) {
      throw new IndexOutOfBoundsException("%d bytes in %d".formatted(bytes, room.length));
    }
    written = bytes;
    completed.add(this);
  }

  private static void alive(Job job) throws JobEndedException {
    job.update(() -> {});
  }
}

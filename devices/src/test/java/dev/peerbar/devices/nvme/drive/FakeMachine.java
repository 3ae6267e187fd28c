package dev.peerbar.devices.nvme.drive;

import dev.peerbar.devices.nvme.NvmeEndpoint;
import dev.peerbar.devices.nvme.NvmeRegisters;
import dev.peerbar.driver.fake.FakeHost;
import dev.peerbar.pci.AccessWidth;
import dev.peerbar.pci.ResetKind;
import java.lang.foreign.MemorySegment;

/** Everything in the test's thread. */
public final class FakeMachine implements Machine {
  private final NvmeEndpoint endpoint;
  private final FakeHost host;

  public FakeMachine(NvmeEndpoint endpoint) {
    this.endpoint = endpoint;
    host = new FakeHost(endpoint);
  }

  public FakeHost host() {
    return host;
  }

  @Override
  public int read4(long offset) {
    return (int) endpoint.read(NvmeRegisters.BAR, offset, AccessWidth.DWORD);
  }

  @Override
  public void write4(long offset, int value) {
    endpoint.write(NvmeRegisters.BAR, offset, AccessWidth.DWORD, Integer.toUnsignedLong(value));
  }

  @Override
  public void write8(long offset, long value) {
    endpoint.write(NvmeRegisters.BAR, offset, AccessWidth.QWORD, value);
  }

  @Override
  public MemorySegment map(long iova, long bytes) {
    return host.map(iova, bytes);
  }

  @Override
  public MemorySegment controllerMemory() {
    return host.memory(NvmeRegisters.CMB_BAR);
  }

  @Override
  public void pass() {
    host.settle();
  }

  @Override
  public void reset(ResetKind kind) {
    host.reset(kind);
  }
}

package dev.peerbar.devices.nvme;

import static org.mockito.Mockito.mock;

import dev.peerbar.devices.nvme.drive.FakeMachine;
import dev.peerbar.devices.nvme.drive.NvmeDriver;
import dev.peerbar.devices.nvme.drive.TestStorage;
import dev.peerbar.devices.nvme.entry.AdminOpcode;
import dev.peerbar.devices.nvme.entry.SubmissionEntry;
import dev.peerbar.driver.fake.FakeHost;
import dev.peerbar.pci.AccessWidth;
import dev.peerbar.pci.DoorbellMode;
import dev.peerbar.pci.PciFunction;
import java.nio.ByteBuffer;

/** An NVMe endpoint as its driver sees it, in one thread. */
final class NvmeFixture {
  static final long CMB_BYTES = 1 << 20;

  final TestStorage storage = new TestStorage(1 << 20);
  final NvmeEndpoint endpoint;
  final FakeMachine machine;
  final FakeHost host;
  final NvmeDriver driver;

  NvmeFixture() {
    this(new NvmeConfig(512, CMB_BYTES, 4, DoorbellMode.TRAP, "TEST"));
  }

  NvmeFixture(NvmeConfig config) {
    endpoint = new NvmeEndpoint(config, storage);
    machine = new FakeMachine(endpoint);
    host = machine.host();
    driver = new NvmeDriver(machine);
  }

  long read4(long offset) {
    return endpoint.read(0, offset, AccessWidth.DWORD);
  }

  long read8(long offset) {
    return endpoint.read(0, offset, AccessWidth.QWORD);
  }

  void write4(long offset, long value) {
    endpoint.write(0, offset, AccessWidth.DWORD, value & 0xffff_ffffL);
  }

  void write8(long offset, long value) {
    endpoint.write(0, offset, AccessWidth.QWORD, value);
  }

  long status() {
    return read4(NvmeRegisters.CSTS);
  }

  private int configByte(int offset) {
    ByteBuffer into = ByteBuffer.allocate(1);
    endpoint.function().readConfig(offset, into);
    return Byte.toUnsignedInt(into.get(0));
  }

  /** MSI-X on or off. */
  void msix(boolean enabled) {
    int at = configByte(0x34);
    while (configByte(at) != 0x11) {
      at = configByte(at + 1);
    }
    endpoint
        .function()
        .writeConfig(
            at + 3,
            ByteBuffer.wrap(new byte[] {(byte) (enabled ? 0x80 : 0)}),
            mock(PciFunction.Events.class));
  }

  static SubmissionEntry.Builder identifyController(long buffer) {
    return SubmissionEntry.builder(AdminOpcode.IDENTIFY).prp1(buffer).dword(10, 1);
  }

  static SubmissionEntry.Builder eventRequest() {
    return SubmissionEntry.builder(AdminOpcode.ASYNCHRONOUS_EVENT_REQUEST);
  }
}

package dev.peerbar.devices.nvme;

import dev.peerbar.devices.nvme.entry.AdminOpcode;
import dev.peerbar.devices.nvme.entry.IoOpcode;
import dev.peerbar.devices.nvme.entry.SubmissionEntry;
import dev.peerbar.driver.DmaRange;
import dev.peerbar.driver.fake.FakeDevice;
import dev.peerbar.driver.fake.FakeHost;
import dev.peerbar.driver.nvme.DataPointer;
import dev.peerbar.driver.nvme.NvmeCommands;
import dev.peerbar.driver.nvme.NvmeDriver;
import dev.peerbar.endpoint.Engine;
import dev.peerbar.pci.AccessWidth;
import dev.peerbar.pci.DoorbellMode;
import java.io.IOException;
import java.util.List;

/** An NVMe endpoint as its driver sees it, in one thread. MSI-X is off. */
public final class NvmeFixture {
  /** Where the driver's memory is. */
  public static final long RAM = 0x4000_0000L;

  static final long RAM_BYTES = 32 << 20;
  static final long CMB_BYTES = 1 << 20;

  public final Engine.Polling polling;
  public final TestStorage storage;
  public final FakeHost host;
  public final NvmeDriver driver;
  final NvmeEndpoint endpoint;
  final FakeDevice device;

  public NvmeFixture(Engine.Polling polling) {
    this(polling, new TestStorage(1 << 20));
  }

  public NvmeFixture(Engine.Polling polling, TestStorage storage) {
    this(polling, new NvmeConfig(512, CMB_BYTES, 4, DoorbellMode.TRAP, "TEST"), storage);
  }

  NvmeFixture(Engine.Polling polling, NvmeConfig config) {
    this(polling, config, new TestStorage(1 << 20));
  }

  private NvmeFixture(Engine.Polling polling, NvmeConfig config, TestStorage storage) {
    this.polling = polling;
    this.storage = storage;
    endpoint = new NvmeEndpoint(config, storage);
    host = new FakeHost(endpoint, polling);
    device = new FakeDevice(host);
    try {
      driver = new NvmeDriver(device, device.allocate(RAM, RAM_BYTES), List.of());
    } catch (IOException e) {
      throw new AssertionError(e);
    }
  }

  public long read4(long offset) {
    return endpoint.read(0, offset, AccessWidth.DWORD);
  }

  long read8(long offset) {
    return endpoint.read(0, offset, AccessWidth.QWORD);
  }

  public void write4(long offset, long value) {
    endpoint.write(0, offset, AccessWidth.DWORD, value & 0xffff_ffffL);
  }

  void write8(long offset, long value) {
    endpoint.write(0, offset, AccessWidth.QWORD, value);
  }

  long status() {
    return read4(NvmeRegisters.CSTS);
  }

  static SubmissionEntry.Builder identifyController(long buffer) {
    return NvmeCommands.identify(NvmeCommands.IDENTIFY_CONTROLLER, 0, new DataPointer(buffer, 0));
  }

  static SubmissionEntry.Builder eventRequest() {
    return SubmissionEntry.builder(AdminOpcode.ASYNCHRONOUS_EVENT_REQUEST);
  }

  /**
   * A command on blocks of namespace 1, with a data pointer of two pages, however many it takes.
   *
   * @param blocks not 0's based
   */
  public static SubmissionEntry.Builder io(
      IoOpcode opcode, long firstLba, int blocks, DmaRange buffer) {
    long secondPage = (buffer.iova() & -NvmeDriver.PAGE) + NvmeDriver.PAGE;
    return NvmeCommands.onBlocks(
        opcode, firstLba, blocks, new DataPointer(buffer.iova(), secondPage));
  }
}

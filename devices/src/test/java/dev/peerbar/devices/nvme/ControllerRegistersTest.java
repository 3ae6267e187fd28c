package dev.peerbar.devices.nvme;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.peerbar.devices.nvme.queue.ControllerMemory;
import dev.peerbar.driver.fake.InEveryMode;
import dev.peerbar.endpoint.Engine;
import dev.peerbar.endpoint.RegisterMap;
import dev.peerbar.pci.AccessWidth;
import dev.peerbar.pci.Bar;
import dev.peerbar.pci.DoorbellMode;
import dev.peerbar.pci.PciFunction;
import dev.peerbar.pci.ResetKind;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

@InEveryMode
final class ControllerRegistersTest {
  private static final long CAP = 0x00;
  private static final long VS = 0x08;
  private static final long INTMS = 0x0c;
  private static final long INTMC = 0x10;
  private static final long CC = 0x14;
  private static final long CSTS = 0x1c;
  private static final long NSSR = 0x20;
  private static final long AQA = 0x24;
  private static final long ASQ = 0x28;
  private static final long ACQ = 0x30;
  private static final long CMBLOC = 0x38;
  private static final long CMBSZ = 0x3c;
  private static final long CMBMSC = 0x50;
  private static final long CMBSTS = 0x58;

  private final NvmeFixture nvme;

  ControllerRegistersTest(Engine.Polling polling) {
    nvme = new NvmeFixture(polling);
  }

  private static NvmeEndpoint endpoint(long cmbSize, DoorbellMode doorbells) {
    return new NvmeEndpoint(
        new NvmeConfig(4096, cmbSize, 3, doorbells, "TEST"), new TestStorage(1 << 20));
  }

  @Test
  void declaresFunction() {
    PciFunction function = endpoint(1 << 20, DoorbellMode.TRAP).function();

    assertThat(function.bars())
        .containsExactly(
            new Bar.Registers(0, 16 << 10, Optional.empty()),
            new Bar.Memory(2, 1 << 20),
            new Bar.Msix(4, 8 << 10));
    assertThat(function.msix()).contains(new PciFunction.MsixLayout(4, 4, 0, 0x1000));
    assertThat(function.interruptPin()).isEqualTo(1);
    ByteBuffer ids = ByteBuffer.allocate(16).order(ByteOrder.LITTLE_ENDIAN);
    function.readConfig(0, ids);
    assertThat(ids.getInt(0)).isEqualTo(0x7033_1234);
    assertThat(ids.getInt(8)).isEqualTo(0x0108_0201);
  }

  @Test
  void withoutCmbThereIsNoBarForIt() {
    assertThat(endpoint(0, DoorbellMode.TRAP).function().bar(2)).isEmpty();
  }

  @Test
  void declaresMappedDoorbells() {
    assertThat(endpoint(1 << 20, DoorbellMode.MAP).function().bar(0))
        .contains(
            new Bar.Registers(0, 16 << 10, Optional.of(new Bar.Doorbells(0x1000, 0x1000, 4, 8))));
  }

  @ParameterizedTest
  @CsvSource({"512, 0", "512, 511", "512, 1000", "4096, 512", "4096, 6144"})
  void storageIsWholeBlocks(int lbaSize, long bytes) {
    NvmeConfig config = new NvmeConfig(lbaSize, 0, 1, DoorbellMode.TRAP, "TEST");
    assertThatThrownBy(() -> new NvmeEndpoint(config, new TestStorage(bytes)))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("multiple");
  }

  @ParameterizedTest
  @CsvSource({
    "1024, 0, 1, TEST",
    "512, 2048, 1, TEST",
    "512, 12288, 1, TEST",
    "512, 137438953472, 1, TEST",
    "512, 0, 0, TEST",
    "512, 0, 65, TEST",
    "512, 0, 1, ''",
    "512, 0, 1, ' TEST'",
    "512, 0, 1, 'TESTTESTTESTTESTTEST1'",
    "512, 0, 1, 'TÄST'",
  })
  void impossibleConfigurationsAreRefused(int lbaSize, long cmb, int queues, String serial) {
    assertThatThrownBy(() -> new NvmeConfig(lbaSize, cmb, queues, DoorbellMode.TRAP, serial))
        .isInstanceOf(IllegalArgumentException.class)
        .message()
        .endsWith(".");
  }

  @Test
  void saysWhatItCanDo() {
    long cap = nvme.read8(CAP);

    assertThat(cap & 0xffff).as("MQES").isEqualTo(4095);
    assertThat(cap >>> 16 & 1).as("CQR").isEqualTo(1);
    assertThat(cap >>> 17 & 3).as("AMS").isEqualTo(1);
    assertThat(cap >>> 24 & 0xff).as("TO in 500 ms").isGreaterThanOrEqualTo(60);
    assertThat(cap >>> 32 & 0xf).as("DSTRD").isZero();
    assertThat(cap >>> 36 & 1).as("NSSRS").isZero();
    assertThat(cap >>> 37 & 0xff).as("CSS").isEqualTo(1);
    assertThat(cap >>> 48 & 0xf).as("MPSMIN").isZero();
    assertThat(cap >>> 52 & 0xf).as("MPSMAX").isEqualTo(4);
    assertThat(cap >>> 57 & 1).as("CMBS").isEqualTo(1);
    assertThat(nvme.read4(CAP)).isEqualTo(cap & 0xffff_ffffL);
    assertThat(nvme.read4(CAP + 4)).isEqualTo(cap >>> 32);
    assertThat(nvme.read4(VS)).isEqualTo(0x0001_0400);
    assertThat(nvme.status()).isZero();
  }

  @Test
  void isWrittenInHalvesInEitherOrder() {
    nvme.write4(ASQ, 0x8765_4321L);
    nvme.write4(ASQ + 4, 0x1234);
    nvme.write4(ACQ + 4, 0x5678);
    nvme.write4(ACQ, 0xffff_ffffL);

    assertThat(nvme.read8(ASQ)).isEqualTo(0x1234_8765_4000L);
    assertThat(nvme.read8(ACQ)).isEqualTo(0x5678_ffff_f000L);
    assertThat(nvme.read4(ACQ + 4)).isEqualTo(0x5678);
  }

  @Test
  void reservedBitsStayClear() {
    nvme.write4(AQA, 0xffff_ffffL);
    nvme.write4(CC, 0xff00_000eL);
    nvme.write8(CMBMSC, -1L);

    assertThat(nvme.read4(AQA)).isEqualTo(0x0fff_0fff);
    assertThat(nvme.read4(CC)).isZero();
    assertThat(nvme.read8(CMBMSC)).isEqualTo(0xffff_ffff_ffff_f003L);
  }

  @Test
  void offersNoSubsystemReset() throws IOException {
    nvme.driver.enable();
    nvme.write4(NSSR, 0x4e56_4d65);
    nvme.write4(CSTS, 0x10);
    assertThat(nvme.read4(NSSR)).isZero();
    assertThat(nvme.status()).isEqualTo(1);
  }

  @ParameterizedTest
  @ValueSource(longs = {0x40, 0x44, 0x48, 0x4c, 0x5c, 0xe00, 0xe04, 0xe08, 0xe0c, 0xe10, 0xe14})
  void whatItHasNotReadsZero(long offset) {
    nvme.write4(offset, -1);
    assertThat(nvme.read4(offset)).isZero();
  }

  @Test
  void narrowAccessesAreRefused() {
    assertThat(nvme.endpoint.read(0, VS, AccessWidth.WORD)).isZero();
    nvme.endpoint.write(0, AQA, AccessWidth.BYTE, 0xff);
    assertThat(nvme.read4(AQA)).isZero();
    assertThat(nvme.read8(VS)).as("two registers at once").isZero();
  }

  // The Controller Memory Buffer.

  @Test
  void cmbShowsOnlyToWhoKnowsOfIt() {
    assertThat(nvme.read4(CMBLOC)).isZero();
    assertThat(nvme.read4(CMBSZ)).isZero();

    nvme.write4(CMBMSC, 1);

    assertThat(nvme.read4(CMBLOC) & 0x7).as("BIR").isEqualTo(2);
    assertThat(nvme.read4(CMBLOC) >>> 12).as("OFST").isZero();
    long size = nvme.read4(CMBSZ);
    assertThat(size & 0x1f).as("all but completion queues").isEqualTo(0b11101);
    assertThat((size >>> 12) << 12 + 4 * (size >>> 8 & 0xf)).isEqualTo(NvmeFixture.CMB_BYTES);

    nvme.write4(CMBMSC, 0);
    assertThat(nvme.read4(CMBSZ)).isZero();
  }

  @ParameterizedTest
  @ValueSource(longs = {1L << 12, 1L << 31, 1L << 32, 1L << 36})
  void cmbOfAnySizeFitsItsRegister(long bytes) {
    RegisterMap registers = new RegisterMap(0x1000);
    new MemoryBuffer(bytes, new ControllerMemory(MemorySegment.NULL)).declare(registers);
    registers.write(CMBMSC, AccessWidth.DWORD, 1);

    long size = registers.read(CMBSZ, AccessWidth.DWORD);

    assertThat((size >>> 12) << 12 + 4 * (size >>> 8 & 0xf)).isEqualTo(bytes);
  }

  @Test
  void cmbAddressMustFit() {
    nvme.write8(CMBMSC, -NvmeFixture.CMB_BYTES | 3);
    assertThat(nvme.read4(CMBSTS)).as("the last that fits").isZero();

    nvme.write8(CMBMSC, -NvmeFixture.CMB_BYTES + 4096 | 3);
    assertThat(nvme.read4(CMBSTS)).isEqualTo(1);

    nvme.write8(CMBMSC, -NvmeFixture.CMB_BYTES + 4096 | 1);
    assertThat(nvme.read4(CMBSTS)).as("CMSE clear").isZero();
  }

  @Test
  void withoutCmbItsRegistersReadZero() throws IOException {
    NvmeFixture plain =
        new NvmeFixture(nvme.polling, new NvmeConfig(512, 0, 1, DoorbellMode.TRAP, "TEST"));
    plain.write8(CMBMSC, 0x1_0000_0003L);

    assertThat(plain.read8(CAP) >>> 57 & 1).isZero();
    assertThat(plain.read8(CMBMSC)).isZero();
    assertThat(plain.read4(CMBLOC)).isZero();
    assertThat(plain.read4(CMBSZ)).isZero();
    plain.driver.enable();
    assertThat(plain.status()).isEqualTo(1);
  }

  // What a reset clears.

  private void fillRegisters() throws IOException {
    nvme.write8(CMBMSC, 0x1_0000_0003L);
    nvme.driver.enable();
    nvme.write4(INTMS, 0xff);
  }

  @Test
  void controllerResetKeepsAdminQueuesAndCmb() throws IOException {
    fillRegisters();
    long asq = nvme.read8(ASQ);
    long acq = nvme.read8(ACQ);

    nvme.write4(CC, nvme.read4(CC) & ~1L);

    assertThat(nvme.status()).isZero();
    assertThat(nvme.read4(INTMC)).isZero();
    assertThat(nvme.read4(AQA)).isEqualTo(0x001f_001f);
    assertThat(nvme.read8(ASQ)).isEqualTo(asq).isNotZero();
    assertThat(nvme.read8(ACQ)).isEqualTo(acq).isNotZero();
    assertThat(nvme.read8(CMBMSC)).isEqualTo(0x1_0000_0003L);
    assertThat(nvme.read4(CC)).as("as written").isEqualTo(0x0046_0000);
  }

  @ParameterizedTest
  @EnumSource(ResetKind.class)
  void otherResetsClearAdminQueuesToo(ResetKind kind) throws IOException {
    fillRegisters();

    nvme.host.reset(kind);

    for (long offset : new long[] {INTMS, CC, CSTS, AQA}) {
      assertThat(nvme.read4(offset)).as(Long.toHexString(offset)).isZero();
    }
    for (long offset : new long[] {ASQ, ACQ}) {
      assertThat(nvme.read8(offset)).as(Long.toHexString(offset)).isZero();
    }
    nvme.driver.enable();
  }

  @Test
  void cmbIsClosedWithTheWholeDevice() throws IOException {
    fillRegisters();

    nvme.host.reset(ResetKind.BUS_OR_DEVICE);

    assertThat(nvme.read8(CMBMSC)).isZero();
    assertThat(nvme.read4(CMBLOC)).isZero();
    assertThat(nvme.read4(CMBSZ)).isZero();
  }

  /** Linux sets CMBMSC when it binds, and relies on it after a function-level reset. */
  @ParameterizedTest
  @EnumSource(
      value = ResetKind.class,
      names = {"FUNCTION_LEVEL", "D3HOT_TO_D0"})
  void cmbStaysWhereItIsWhenTheFunctionIsReset(ResetKind kind) throws IOException {
    fillRegisters();
    nvme.host.reset(kind);
    assertThat(nvme.read8(CMBMSC)).isEqualTo(0x1_0000_0003L);
    nvme.driver.enable();

    long inCmb = 0x1_0000_0000L;
    nvme.driver.admin().succeed(NvmeFixture.identifyController(inCmb));

    assertThat(nvme.host.memory(2).get(java.lang.foreign.ValueLayout.JAVA_SHORT, 0))
        .as("VID")
        .isEqualTo((short) 0x1234);
  }
}

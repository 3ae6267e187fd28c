package dev.peerbar.pci;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.List;
import java.util.Optional;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.Test;

final class PciFunctionBuilderTest {

  private static PciFunctionBuilder valid() {
    return PciFunction.builder().identity(0x1234, 1).classCode(0x120000);
  }

  private static void refuses(String sentence, UnaryOperator<PciFunctionBuilder> declaration) {
    assertThatThrownBy(() -> declaration.apply(valid()).build())
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage(sentence);
  }

  @Test
  void keepsBarsByIndex() {
    Bar.Doorbells doorbells = new Bar.Doorbells(0x1000, 0x1000, 8, 4);
    PciFunction function =
        valid()
            .msix(4, 0x1000, 3, 0, 0x800)
            .memory(2, 4096)
            .registers(0, 0x2000, doorbells)
            .build();

    assertThat(function.bars()).extracting(Bar::index).containsExactly(0, 2, 4);
    assertThat(function.bar(0)).contains(new Bar.Registers(0, 0x2000, Optional.of(doorbells)));
    assertThat(function.bar(3)).isEmpty();
    assertThat(function.msix()).contains(new PciFunction.MsixLayout(3, 4, 0, 0x800));
    assertThat(function.interruptPin()).isZero();
  }

  @Test
  void refusesIdentity() {
    assertThatThrownBy(() -> PciFunction.builder().classCode(0).build())
        .hasMessage("A function needs a vendor and a device ID.");
    assertThatThrownBy(() -> PciFunction.builder().identity(1, 1).build())
        .hasMessage("A function needs a class code.");
    refuses("A vendor ID is 0 to 0xfffe, not 0xffff.", b -> b.identity(0xffff, 1));
    refuses("A device ID has 16 bits, 0x10000 has more.", b -> b.identity(1, 0x10000));
    refuses("A class code has 24 bits, 0x1000000 has more.", b -> b.classCode(0x1000000));
    refuses("A revision ID has 8 bits, 0x100 has more.", b -> b.revision(0x100));
    refuses("A subsystem ID has 16 bits, 0x10000 has more.", b -> b.subsystem(1, 0x10000));
    refuses("An interrupt pin is 1 to 4, not 5.", b -> b.interruptPin(5));
  }

  @Test
  void refusesIoEventFds() {
    refuses(
        "The ioeventfd at 0x1000 is no aligned 4-byte register in BAR 0 of 0x1000 bytes.",
        b -> b.registers(0, 0x1000, List.of(event(0x1000, AccessWidth.DWORD, 1))));
    refuses(
        "The ioeventfd at 0x12 is no aligned 4-byte register in BAR 0 of 0x1000 bytes.",
        b -> b.registers(0, 0x1000, List.of(event(0x12, AccessWidth.DWORD, 1))));
    refuses(
        "The ioeventfd at 0xfffffffffffffff8 is no aligned 8-byte register in BAR 0 of 0x1000"
            + " bytes.",
        b -> b.registers(0, 0x1000, List.of(event(-8, AccessWidth.QWORD, 1))));
    refuses(
        "The value 0x10000 of the ioeventfd at 0x10 does not fit into 2 bytes.",
        b -> b.registers(0, 0x1000, List.of(event(0x10, AccessWidth.WORD, 0x10000))));
    refuses(
        "Two ioeventfds are the same write.",
        b ->
            b.registers(
                0,
                0x1000,
                List.of(event(0x10, AccessWidth.WORD, 1), event(0x10, AccessWidth.WORD, 1))));
  }

  private static Bar.IoEventFd event(long offset, AccessWidth width, long value) {
    return new Bar.IoEventFd(offset, width, value);
  }

  @Test
  void keepsIoEventFdsInOrder() {
    List<Bar.IoEventFd> events =
        List.of(event(0xff8, AccessWidth.QWORD, -1), event(0, AccessWidth.BYTE, 0xff));
    assertThat(valid().registers(0, 0x1000, events).build().bar(0))
        .contains(new Bar.Registers(0, 0x1000, Optional.empty(), events));
  }

  @Test
  void refusesAnIoEventFdThatNoKernelSees() {
    Bar.Doorbells mapped = new Bar.Doorbells(0x1000, 0x1000, 4, 8);
    Bar.Registers both = new Bar.Registers(0, 0x4000).mapped(mapped);
    assertThat(
            valid()
                .registers(both.events(List.of(event(0xffc, AccessWidth.DWORD, 1))))
                .build()
                .bar(0))
        .contains(
            new Bar.Registers(
                0, 0x4000, Optional.of(mapped), List.of(event(0xffc, AccessWidth.DWORD, 1))));
    refuses(
        "The ioeventfd at 0x1000 is in the mapped area of BAR 0, where no kernel sees writes.",
        b -> b.registers(both.events(List.of(event(0x1000, AccessWidth.DWORD, 1)))));
  }

  @Test
  void keepsTypes() {
    for (Bar.Type type : Bar.Type.values()) {
      Bar.Registers bar = new Bar.Registers(2, 0x2000).type(type);
      PciFunction function = valid().registers(bar).build();
      ConfigAccess config = new ConfigAccess(function);
      assertThat(function.bar(2)).contains(bar);
      config.write(0x18, 8, -1);
      assertThat(config.read(0x18, 8))
          .isEqualTo(
              switch (type) {
                case MEMORY_32 -> 0xffff_e000L;
                case MEMORY_64 -> 0xffff_ffff_ffff_e004L;
                case MEMORY_64_PREFETCHABLE -> 0xffff_ffff_ffff_e00cL;
              });
    }
    assertThat(
            valid()
                .registers(new Bar.Registers(0, 1L << 33).type(Bar.Type.MEMORY_64))
                .memory(2, 1L << 20)
                .memory(4, 1L << 32)
                .build()
                .bars())
        .hasSize(3);
    refuses(
        "A 64-bit BAR has index 0, 2 or 4, not 5.",
        b -> b.registers(new Bar.Registers(5, 0x1000).type(Bar.Type.MEMORY_64)));
    refuses(
        "Two BARs take index 1.",
        b ->
            b.registers(new Bar.Registers(0, 0x1000).type(Bar.Type.MEMORY_64))
                .registers(1, 0x1000));
    refuses(
        "The size of 64-bit BAR 0 is a power of two of at least 16 bytes, not 24.",
        b -> b.registers(new Bar.Registers(0, 24).type(Bar.Type.MEMORY_64)));
  }

  @Test
  void keepsMsixAmongRegisters() {
    PciFunction function = valid().msixIn(0, 5, 0x2000, 0x3000).registers(0, 0x4000).build();
    assertThat(function.msix()).contains(new PciFunction.MsixLayout(5, 0, 0x2000, 0x3000));
    refuses(
        "The MSI-X structures are to be in BAR 1, which is no BAR of registers.",
        b -> b.msixIn(1, 5, 0x2000, 0x3000).registers(0, 0x4000));
    refuses(
        "The MSI-X structures are to be in BAR 2, which is no BAR of registers.",
        b -> b.msixIn(2, 5, 0x2000, 0x3000).memory(2, 0x4000));
    refuses(
        "The MSI-X table, 0x50 bytes at 0x3ff0, must lie inside the BAR of 0x4000 bytes.",
        b -> b.registers(0, 0x4000).msixIn(0, 5, 0x3ff0, 0x3000));
    refuses(
        "The MSI-X structures are in the mapped doorbells of BAR 0.",
        b ->
            b.registers(0, 0x4000, new Bar.Doorbells(0x2000, 0x1000, 4, 1))
                .msixIn(0, 5, 0x1fc0, 0x1000));
    refuses(
        "The ioeventfd at 0x3000 is in the MSI-X structures of BAR 0.",
        b ->
            b.registers(0, 0x4000, List.of(event(0x3000, AccessWidth.DWORD, 1)))
                .msixIn(0, 5, 0x2000, 0x3000));
    refuses(
        "MSI-X is declared twice.",
        b -> b.msix(4, 4096, 2, 0, 0x800).registers(0, 0x4000).msixIn(0, 5, 0x2000, 0x3000));
    refuses("A function has 1 to 2048 MSI-X vectors, not 0.", b -> b.msixIn(0, 0, 0x2000, 0x3000));
  }

  @Test
  void refusesSize() {
    refuses(
        "The size of 32-bit BAR 0 is a power of two from 16 bytes to 2 GiB, not 24.",
        b -> b.registers(0, 24));
    refuses(
        "The size of 32-bit BAR 0 is a power of two from 16 bytes to 2 GiB, not 8.",
        b -> b.registers(0, 8));
    refuses(
        "The size of 32-bit BAR 1 is a power of two from 16 bytes to 2 GiB, not 4294967296.",
        b -> b.registers(1, 1L << 32));
    refuses(
        "The size of memory BAR 2 is a power of two of at least 4096 bytes, not 2048.",
        b -> b.memory(2, 2048));
    refuses(
        "The size of memory BAR 2 is a power of two of at least 4096 bytes, not 12288.",
        b -> b.memory(2, 12288));
  }

  @Test
  void refusesIndex() {
    refuses("A 64-bit BAR has index 0, 2 or 4, not 1.", b -> b.memory(1, 4096));
    refuses("A 64-bit BAR has index 0, 2 or 4, not 6.", b -> b.memory(6, 4096));
    refuses("A BAR has index 0 to 5, not 6.", b -> b.registers(6, 4096));
    refuses("A BAR has index 0 to 5, not -1.", b -> b.registers(-1, 4096));
    refuses("Two BARs take index 0.", b -> b.registers(0, 4096).registers(0, 4096));
    refuses("Two BARs take index 3.", b -> b.memory(2, 4096).registers(3, 4096));
    refuses("Two BARs take index 3.", b -> b.registers(3, 4096).memory(2, 4096));
  }

  @Test
  void refusesMsix() {
    refuses("A function has 1 to 2048 MSI-X vectors, not 0.", b -> b.msix(4, 4096, 0, 0, 0x800));
    refuses(
        "A function has 1 to 2048 MSI-X vectors, not 2049.",
        b -> b.msix(4, 65536, 2049, 0, 0xf000));
    refuses(
        "The MSI-X table, 0x20 bytes at 0xff0, must lie inside the BAR of 0x1000 bytes.",
        b -> b.msix(4, 4096, 2, 0xff0, 0x800));
    refuses(
        "The MSI-X pending bits, 0x8 bytes at 0x1000, must lie inside the BAR of 0x1000 bytes.",
        b -> b.msix(4, 4096, 2, 0, 0x1000));
    refuses(
        "The offset of the MSI-X table is a multiple of 8, not 4.",
        b -> b.msix(4, 4096, 2, 4, 0x800));
    refuses(
        "The MSI-X table at 0x0 and the pending bits at 0x18 overlap.",
        b -> b.msix(4, 4096, 2, 0, 0x18));
    refuses(
        "MSI-X is declared twice.", b -> b.msix(4, 4096, 2, 0, 0x800).msix(5, 4096, 2, 0, 0x800));
    refuses("Two BARs take index 4.", b -> b.registers(4, 4096).msix(4, 4096, 2, 0, 0x800));
  }

  @Test
  void refusesDoorbells() {
    refuses(
        "Mapped doorbells take whole pages of 4096 bytes, not 0x1000 bytes at 0x800.",
        b -> b.registers(0, 0x4000, new Bar.Doorbells(0x800, 0x1000, 4, 1)));
    refuses(
        "Mapped doorbells take whole pages of 4096 bytes, not 0x100 bytes at 0x1000.",
        b -> b.registers(0, 0x4000, new Bar.Doorbells(0x1000, 0x100, 4, 1)));
    refuses(
        "The mapped doorbells, 0x1000 bytes at 0x4000, do not fit into BAR 0 of 0x4000 bytes.",
        b -> b.registers(0, 0x4000, new Bar.Doorbells(0x4000, 0x1000, 4, 1)));
    refuses(
        "17 doorbells 256 bytes apart are not 4-byte registers within 0x1000 bytes.",
        b -> b.registers(0, 0x4000, new Bar.Doorbells(0x1000, 0x1000, 256, 17)));
    refuses(
        "1 doorbells 2 bytes apart are not 4-byte registers within 0x1000 bytes.",
        b -> b.registers(0, 0x4000, new Bar.Doorbells(0x1000, 0x1000, 2, 1)));
  }
}

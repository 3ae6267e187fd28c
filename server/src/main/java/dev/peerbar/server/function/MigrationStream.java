package dev.peerbar.server.function;

import dev.peerbar.pci.Bar;
import dev.peerbar.pci.PciFunction;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.Optional;
import java.util.zip.CRC32C;

/**
 * The state of a function as MIG_DATA_READ gives it and MIG_DATA_WRITE takes it: a header, sections
 * in a fixed order, and a checksum. Little-endian throughout; nothing is padded.
 *
 * <p>The header says what function the state is of. The destination makes the header that it would
 * send itself and takes no other: it is {@value #HEADER_BYTES} bytes of
 *
 * <pre>
 * offset  size  field
 *      0     8  magic, "PEERBARM"
 *      8     4  version of this stream, 1
 *     12     4  bytes of the header
 *     16     2  vendor ID
 *     18     2  device ID
 *     20     4  revision ID and class code, as config space has them
 *     24     2  subsystem vendor ID
 *     26     2  subsystem ID
 *     28     4  MSI-X vectors
 *     32     4  version of the endpoint's own state
 *     36     4  zero; or, for a function with more in config space than can only be there or not
 *               (MSI, registers and capabilities of the endpoint's own), the CRC32C of what it was
 *               declared to be: values at power-on, then which bits can change
 *     40  6*16  each BAR: 4 bytes kind (0 none, 1 registers, 2 memory, 3 MSI-X structures; and 8 if
 *               the MSI-X structures are among registers), 4 bytes of doorbells that can be mapped,
 *               8 bytes of it all
 * </pre>
 *
 * <p>A section is {@value #SECTION_BYTES} bytes (4 type, 4 index, 8 offset, 8 length of what
 * follows) and what follows. These come, each once but for memory:
 *
 * <pre>
 * type  index  offset  what follows
 *    1      0       0  config space: 4096 bytes, in which read-only bits are zero
 *    2      0       0  if the function has MSI-X: its table, then its pending bits
 *    3      0       0  the endpoint's own state, at most 64 KiB
 *    4    BAR       0  of each BAR with doorbells that can be mapped: their pages
 *    5    BAR  in BAR  bytes of a memory BAR; ascending by BAR and offset. What is left out is zero
 *    6      0       0  4 bytes: the CRC32C of all before them
 * </pre>
 *
 * <p>Nothing may follow. A memory BAR may be 64 GiB, and mostly holes that are left out.
 */
final class MigrationStream {
  static final int VERSION = 1;

  /** "PEERBARM", the first letter in the lowest byte. */
  static final long MAGIC = 0x4d52_4142_5245_4550L;

  static final int HEADER_BYTES = 136;
  static final int SECTION_BYTES = 24;
  static final int CHECKSUM_BYTES = 4;

  /** The most that an endpoint may save. */
  static final int MOST_ENDPOINT_STATE = 64 << 10;

  static final int SECTION_TYPE = 0;
  static final int SECTION_INDEX = 4;
  static final int SECTION_OFFSET = 8;
  static final int SECTION_LENGTH = 16;

  private static final int BARS = 40;
  private static final int BAR_BYTES = 16;
  private static final int BAR_DOORBELLS = 4;
  private static final int BAR_SIZE = 8;

  private static final int KIND_REGISTERS = 1;
  private static final int KIND_MEMORY = 2;
  private static final int KIND_MSIX = 3;
  private static final int KIND_HOLDS_MSIX = 8;

  // Config space, PCIe 6.0 7.5.1.1 and 7.5.1.2.
  private static final int CONFIG_IDENTITY = 0x00;
  private static final int CONFIG_CLASS = 0x08;
  private static final int CONFIG_SUBSYSTEM = 0x2c;

  /** The header's fields, in their order. */
  private enum Field {
    MAGIC(0, "magic"),
    VERSION(8, "version"),
    LENGTH(12, "length of the header"),
    IDENTITY(16, "vendor and device ID"),
    CLASS(20, "revision and class"),
    SUBSYSTEM(24, "subsystem"),
    VECTORS(28, "MSI-X vectors"),
    ENDPOINT_VERSION(32, "version of the endpoint's state"),
    CONFIG(36, "declaration of config space"),
    BARS(MigrationStream.BARS, "BARs");

    private final int offset;
    private final String name;

    Field(int offset, String name) {
      this.offset = offset;
      this.name = name;
    }
  }

  /** Types of sections, in the order in which they come. */
  enum Section {
    CONFIG(1),
    MSIX(2),
    ENDPOINT(3),
    DOORBELLS(4),
    MEMORY(5),
    END(6);

    private final int code;

    Section(int code) {
      this.code = code;
    }

    int code() {
      return code;
    }
  }

  private MigrationStream() {}

  /** The header of a function. */
  static byte[] header(PciFunction function, int endpointVersion) {
    ByteBuffer header = ByteBuffer.allocate(HEADER_BYTES).order(ByteOrder.LITTLE_ENDIAN);
    header.putLong(Field.MAGIC.offset, MAGIC);
    header.putInt(Field.VERSION.offset, VERSION);
    header.putInt(Field.LENGTH.offset, HEADER_BYTES);
    header.putInt(Field.IDENTITY.offset, config(function, CONFIG_IDENTITY));
    header.putInt(Field.CLASS.offset, config(function, CONFIG_CLASS));
    header.putInt(Field.SUBSYSTEM.offset, config(function, CONFIG_SUBSYSTEM));
    header.putInt(
        Field.VECTORS.offset, function.msix().map(PciFunction.MsixLayout::vectors).orElse(0));
    header.putInt(Field.ENDPOINT_VERSION.offset, endpointVersion);
    header.putInt(Field.CONFIG.offset, config(function));
    for (Bar bar : function.bars()) {
      int at = BARS + bar.index() * BAR_BYTES;
      header.putInt(at, kind(function, bar));
      header.putInt(at + BAR_DOORBELLS, Math.toIntExact(doorbells(bar)));
      header.putLong(at + BAR_SIZE, bar.size());
    }
    return header.array();
  }

  private static int config(PciFunction function, int offset) {
    ByteBuffer field = ByteBuffer.allocate(Integer.BYTES).order(ByteOrder.LITTLE_ENDIAN);
    function.readConfig(offset, field);
    return field.getInt(0);
  }

  private static int config(PciFunction function) {
    if (!function.hasOwnConfig()) {
      return 0;
    }
    CRC32C sum = new CRC32C();
    sum.update(function.configDeclaration());
    return (int) sum.getValue();
  }

  private static int kind(PciFunction function, Bar bar) {
    return switch (bar) {
      case Bar.Registers _ -> {
        boolean holds = function.msix().filter(layout -> layout.bar() == bar.index()).isPresent();
        yield holds ? KIND_REGISTERS | KIND_HOLDS_MSIX : KIND_REGISTERS;
      }
      case Bar.Memory _ -> KIND_MEMORY;
      case Bar.Msix _ -> KIND_MSIX;
    };
  }

  private static long doorbells(Bar bar) {
    return switch (bar) {
      case Bar.Registers registers -> registers.mapped().map(Bar.Doorbells::length).orElse(0L);
      case Bar.Memory _, Bar.Msix _ -> 0;
    };
  }

  /** What a byte of the header belongs to, in words. */
  static String field(int offset) {
    return Arrays.stream(Field.values())
        .filter(field -> field.offset <= offset)
        .reduce((_, later) -> later)
        .orElseThrow()
        .name;
  }

  /** The beginning of a section, ready to be read. */
  static ByteBuffer section(Section type, int index, long offset, long length) {
    ByteBuffer section = ByteBuffer.allocate(SECTION_BYTES).order(ByteOrder.LITTLE_ENDIAN);
    section.putInt(SECTION_TYPE, type.code);
    section.putInt(SECTION_INDEX, index);
    section.putLong(SECTION_OFFSET, offset);
    section.putLong(SECTION_LENGTH, length);
    return section;
  }

  /** The type of a section whose beginning is in a buffer, or empty if there is no such type. */
  static Optional<Section> type(ByteBuffer section) {
    int code = section.getInt(SECTION_TYPE);
    return Arrays.stream(Section.values()).filter(type -> type.code == code).findFirst();
  }
}

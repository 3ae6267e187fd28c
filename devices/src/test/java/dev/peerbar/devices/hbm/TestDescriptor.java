package dev.peerbar.devices.hbm;

/** A descriptor as a driver writes it. */
record TestDescriptor(
    int opcode,
    int flags,
    long source,
    long destination,
    long length,
    long record,
    long pattern,
    long tag,
    long reserved) {

  private static TestDescriptor opcode(int opcode) {
    return new TestDescriptor(opcode, 0, 0, 0, 0, 0, 0, 0, 0);
  }

  static TestDescriptor nop() {
    return opcode(0);
  }

  static TestDescriptor copy(long length) {
    return opcode(1).length(length);
  }

  static TestDescriptor fill(long pattern, long length) {
    return opcode(2).pattern(pattern).length(length);
  }

  static TestDescriptor crc32c(long length) {
    return opcode(3).length(length);
  }

  static TestDescriptor immediate(long value, long length) {
    return opcode(4).pattern(value).length(length);
  }

  static TestDescriptor unknown(int opcode) {
    return opcode(opcode);
  }

  TestDescriptor flag(int bit) {
    return flags(flags | 1 << bit);
  }

  TestDescriptor interrupt() {
    return flag(0);
  }

  /** Asks for a record at {@link HbmFixture#RECORD}. */
  TestDescriptor recorded() {
    return recordAt(HbmFixture.RECORD);
  }

  TestDescriptor recordAt(long iova) {
    return new TestDescriptor(
            opcode, flags, source, destination, length, iova, pattern, tag, reserved)
        .flag(1);
  }

  TestDescriptor from(long iova) {
    return new TestDescriptor(
        opcode, flags, iova, destination, length, record, pattern, tag, reserved);
  }

  TestDescriptor fromLocal(long offset) {
    return from(offset).flag(2);
  }

  TestDescriptor to(long iova) {
    return new TestDescriptor(opcode, flags, source, iova, length, record, pattern, tag, reserved);
  }

  TestDescriptor toLocal(long offset) {
    return to(offset).flag(3);
  }

  TestDescriptor tag(long value) {
    return new TestDescriptor(
        opcode, flags, source, destination, length, record, pattern, value, reserved);
  }

  TestDescriptor reserved(long value) {
    return new TestDescriptor(
        opcode, flags, source, destination, length, record, pattern, tag, value);
  }

  private TestDescriptor flags(int value) {
    return new TestDescriptor(
        opcode, value, source, destination, length, record, pattern, tag, reserved);
  }

  private TestDescriptor length(long value) {
    return new TestDescriptor(
        opcode, flags, source, destination, value, record, pattern, tag, reserved);
  }

  private TestDescriptor pattern(long value) {
    return new TestDescriptor(
        opcode, flags, source, destination, length, record, value, tag, reserved);
  }
}

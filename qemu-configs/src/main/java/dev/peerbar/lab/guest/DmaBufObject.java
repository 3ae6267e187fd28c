package dev.peerbar.lab.guest;

import java.util.ArrayList;
import java.util.List;

/**
 * A DMABUF that the guest's kernel has, whoever holds it ({@code dma_buf/bufinfo} of debugfs).
 *
 * @param size in bytes
 * @param references to its file: descriptors, and importers in the kernel
 * @param exporter the driver that made it, such as {@code vfio_pci_core}
 * @param inode of its file
 * @param name that it was given; empty if none
 * @param attached the devices whose drivers have attached to it
 */
public record DmaBufObject(
    long size, long references, String exporter, long inode, String name, List<String> attached) {
  private static final String NAMELESS = "<none>";
  private static final String ROW = "[0-9]+\t[0-9a-f]+\t[0-9a-f]+\t[0-9]+\t.*";
  private static final String DEVICES = "\tAttached Devices:";
  private static final String DEVICES_END = "Total ";

  // An object is a row of size, flags, mode, count, exporter, inode and name, apart by tabs. After
  // it come its fences, and
  // then its devices, a line each.
  static List<DmaBufObject> parse(String table) {
    List<DmaBufObject> all = new ArrayList<>();
    List<String> attached = new ArrayList<>();
    boolean devices = false;
    for (String line : table.lines().toList()) {
      if (line.matches(ROW)) {
        attached = new ArrayList<>();
        all.add(row(line.split("\t", -1), attached));
      } else if (line.equals(DEVICES)) {
        devices = true;
      } else if (line.startsWith(DEVICES_END)) {
        devices = false;
      } else if (devices && !line.isBlank()) {
        attached.add(line.strip());
      }
    }
    return all.stream()
        .map(o ->
            new DmaBufObject(
                o.size, o.references, o.exporter, o.inode, o.name, List.copyOf(o.attached)))
        .toList();
  }

  private static DmaBufObject row(String[] fields, List<String> attached) {
    String name = fields[6].strip();
    return new DmaBufObject(
        Long.parseLong(fields[0]),
        Long.parseLong(fields[3]),
        fields[4],
        Long.parseLong(fields[5].strip()),
        name.equals(NAMELESS) ? "" : name,
        attached);
  }

  @Override
  public String toString() {
    return "DMABUF of %s by %s%s, %d references%s"
        .formatted(
            Words.ofBytes(size),
            exporter,
            name.isEmpty() ? "" : " named " + name,
            references,
            attached.isEmpty() ? "" : ", attached to " + String.join(", ", attached));
  }
}

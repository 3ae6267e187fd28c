package dev.peerbar.lab.disk;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.peerbar.lab.guest.Guest;
import dev.peerbar.lab.guest.GuestErrnoException;
import dev.peerbar.lab.guest.GuestProgram;
import dev.peerbar.lab.guest.GuestSystem;
import dev.peerbar.lab.guest.PciDevice;
import dev.peerbar.linux.Errno;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

/**
 * An NVMe controller that the guest's own driver has, with its first namespace.
 *
 * @param guest which must have the userland for {@link #nvme} and {@link #json}
 * @param pci its function
 * @param name of the controller, such as {@code nvme0}
 */
public record NvmeDisk(Guest guest, PciDevice pci, String name) {
  /** How long a controller may take to be initialised and its namespaces to be scanned. */
  private static final Duration PATIENCE = Duration.ofSeconds(60);

  private static final ObjectMapper JSON = new ObjectMapper();
  private static final String CONTROLLERS = "/sys/class/nvme/";

  /**
   * The disk in a slot, once the guest's own driver has initialised its controller and the
   * namespace is there.
   *
   * @throws IOException if that does not happen
   */
  public static NvmeDisk inSlot(Guest guest, int slot) throws IOException {
    PciDevice pci = guest.pciInSlot(slot);
    long end = System.nanoTime() + PATIENCE.toNanos();
    String seen = "no controller";
    while (System.nanoTime() < end) {
      for (String name : names(guest.system(), pci)) {
        NvmeDisk disk = new NvmeDisk(guest, pci, name);
        seen = disk.state();
        if (seen.equals("live") && guest.system().exists(disk.path())) {
          return disk;
        }
      }
    }
    throw new IOException("%s did not become a disk: %s".formatted(pci, seen));
  }

  private static List<String> names(GuestSystem system, PciDevice pci) throws IOException {
    try {
      return system.list(pci.attribute("nvme"));
    } catch (GuestErrnoException e) {
      if (e.is(Errno.ENOENT)) {
        return List.of();
      }
      throw e;
    }
  }

  /** Its state by the driver, such as {@code live}, or {@code gone}. */
  public String state() throws IOException {
    try {
      return guest.system().readText(CONTROLLERS + name + "/state");
    } catch (GuestErrnoException gone) {
      return "gone";
    }
  }

  /** The name of the namespace's block device, such as {@code nvme0n1}. */
  public String namespace() {
    return name + "n1";
  }

  /** The path of the namespace's block device. */
  public String path() {
    return "/dev/" + namespace();
  }

  /** Requests that the block device has completed, reads and writes. */
  public long completed() throws IOException {
    String[] fields =
        guest.system().readText("/sys/block/" + namespace() + "/stat").strip().split("\\s+");
    return Long.parseLong(fields[0]) + Long.parseLong(fields[4]);
  }

  /** Opens the namespace past the page cache. */
  public BlockDevice open() throws IOException {
    return BlockDevice.open(guest.system(), path());
  }

  /**
   * Runs nvme(1) on the controller.
   *
   * @param command such as {@code reset}
   */
  public GuestProgram.Outcome nvme(String command, String... options) throws IOException {
    return nvme(command, "/dev/" + name, options);
  }

  /** Runs nvme(1) on the namespace. */
  public GuestProgram.Outcome nvmeOfNamespace(String command, String... options)
      throws IOException {
    return nvme(command, path(), options);
  }

  /** What nvme(1) says of the controller, as JSON. */
  public JsonNode json(String command, String... options) throws IOException {
    return json(command, "/dev/" + name, options);
  }

  /** What nvme(1) says of the namespace, as JSON. */
  public JsonNode jsonOfNamespace(String command, String... options) throws IOException {
    return json(command, path(), options);
  }

  private JsonNode json(String command, String device, String... options) throws IOException {
    List<String> more = new ArrayList<>(List.of(options));
    more.add("--output-format=json");
    GuestProgram.Outcome outcome = nvme(command, device, more.toArray(String[]::new));
    if (outcome.status() != 0) {
      throw new IOException("nvme %s %s: %s".formatted(command, device, outcome));
    }
    return JSON.readTree(outcome.out());
  }

  private GuestProgram.Outcome nvme(String command, String device, String... options)
      throws IOException {
    List<String> words = new ArrayList<>(List.of("nvme", command, device));
    words.addAll(List.of(options));
    return guest.run(words.toArray(String[]::new));
  }

  @Override
  public String toString() {
    return "%s %s".formatted(name, pci);
  }
}

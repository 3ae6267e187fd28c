package dev.peerbar.lab.guest;

import java.util.List;

/**
 * A mounted file system of the guest.
 *
 * @param source what is mounted: a device, or a word that means nothing
 * @param path where; a space in it is the kernel's {@code \040}
 * @param type of the file system
 * @param options apart by commas
 */
public record Mount(String source, String path, String type, String options) {
  static List<Mount> parse(String table) {
    return table
        .lines()
        .map(line -> line.split(" "))
        .map(f -> new Mount(f[0], f[1], f[2], f[3]))
        .toList();
  }
}

package dev.peerbar.lab.uapi;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;

/**
 * {@code struct drm_mode_get_connector}: a connector and its modes, which go to an array of {@link
 * DrmModeInfo} elsewhere in memory; encoders and properties are not asked for.
 *
 * @param modes address of the array
 * @param room modes that it has room for: with 0 the kernel looks for modes anew
 */
public record DrmModeGetConnector(int connector, long modes, int room) {
  public static final int SIZE = 80;
  private static final int COUNT_MODES = 32;
  private static final int CONNECTION = 60;
  private static final int CONNECTED = 1;

  public byte[] encode() {
    return Structs.allocate(SIZE)
        .putLong(0)
        .putLong(modes)
        .putLong(0)
        .putLong(0)
        .putInt(room)
        .putInt(0)
        .putInt(0)
        .putInt(0)
        .putInt(connector)
        .array();
  }

  /** Whether something is there, from the argument after the call. */
  public static boolean connected(byte[] bytes) {
    return Structs.wrap(bytes).getInt(CONNECTION) == CONNECTED;
  }

  /** The modes, the preferred one first, from the argument and the array after the call. */
  public static List<DrmModeInfo> modes(byte[] bytes, byte[] array) {
    int count = Structs.wrap(bytes).getInt(COUNT_MODES);
    ByteBuffer from = Structs.wrap(array);
    List<DrmModeInfo> modes = new ArrayList<>();
    while (modes.size() < count && from.remaining() >= DrmModeInfo.SIZE) {
      modes.add(DrmModeInfo.read(from));
    }
    return List.copyOf(modes);
  }
}

package dev.peerbar.devices.gpu;

import java.util.Arrays;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;
import java.util.stream.Collectors;

/**
 * Commands that the device knows (enum virtio_gpu_ctrl_type, Virtual I/O Device 1.3, 5.7.6.7): all
 * but those of 3D.
 */
public enum CommandType {
  GET_DISPLAY_INFO(0x0100, Header.BYTES),
  RESOURCE_CREATE_2D(0x0101, GpuStructs.Create2d.BYTES),
  RESOURCE_UNREF(0x0102, GpuStructs.OfResource.BYTES),
  SET_SCANOUT(0x0103, GpuStructs.SetScanout.BYTES),
  RESOURCE_FLUSH(0x0104, GpuStructs.Flush.BYTES),
  TRANSFER_TO_HOST_2D(0x0105, GpuStructs.TransferToHost2d.BYTES),
  RESOURCE_ATTACH_BACKING(0x0106, GpuStructs.AttachBacking.BYTES),
  RESOURCE_DETACH_BACKING(0x0107, GpuStructs.OfResource.BYTES),
  GET_CAPSET_INFO(0x0108, GpuStructs.GetCapset.BYTES),
  GET_CAPSET(0x0109, GpuStructs.GetCapset.BYTES),
  GET_EDID(0x010a, GpuStructs.GetEdid.BYTES),
  RESOURCE_ASSIGN_UUID(0x010b, GpuStructs.OfResource.BYTES),
  RESOURCE_CREATE_BLOB(0x010c, GpuStructs.CreateBlob.BYTES),
  SET_SCANOUT_BLOB(0x010d, GpuStructs.SetScanoutBlob.BYTES),
  UPDATE_CURSOR(0x0300, GpuStructs.UpdateCursor.BYTES),
  MOVE_CURSOR(0x0301, GpuStructs.UpdateCursor.BYTES);

  /** Of the longest fixed part. */
  static final int MOST_BYTES =
      Arrays.stream(values()).mapToInt(CommandType::bytes).max().orElseThrow();

  private static final Map<Integer, CommandType> BY_CODE =
      Arrays.stream(values()).collect(Collectors.toMap(CommandType::code, Function.identity()));

  private final int code;
  private final int bytes;

  CommandType(int code, int bytes) {
    this.code = code;
    this.bytes = bytes;
  }

  public int code() {
    return code;
  }

  /** Of its request, the header among them and the entries that may follow not. */
  public int bytes() {
    return bytes;
  }

  static Optional<CommandType> of(int code) {
    return Optional.ofNullable(BY_CODE.get(code));
  }

  /** Whether it belongs into the queue of cursors (5.7.6.10), or else into the control queue. */
  boolean ofCursors() {
    return this == UPDATE_CURSOR || this == MOVE_CURSOR;
  }

  /** The features that a driver must have taken to use it; 0 if every driver may. */
  long feature() {
    return switch (this) {
      case GET_EDID -> GpuDevice.F_EDID;
      case RESOURCE_ASSIGN_UUID -> GpuDevice.F_RESOURCE_UUID;
      case RESOURCE_CREATE_BLOB, SET_SCANOUT_BLOB -> GpuDevice.F_RESOURCE_BLOB;
      default -> 0;
    };
  }
}

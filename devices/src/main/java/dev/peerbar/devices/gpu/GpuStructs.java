package dev.peerbar.devices.gpu;

/**
 * Where the fields of requests are, by the names and in the order of Virtual I/O Device 1.3, 5.7.6:
 * little-endian, of 32 bits if nothing else is said. A request begins with a {@link Header}. For
 * the device and for those who drive one.
 */
public final class GpuStructs {

  private GpuStructs() {}

  /** struct virtio_gpu_get_edid. */
  public static final class GetEdid {
    public static final int SCANOUT = 24;
    public static final int BYTES = 32;

    private GetEdid() {}
  }

  /** struct virtio_gpu_resource_create_2d. */
  public static final class Create2d {
    public static final int RESOURCE_ID = 24;
    public static final int FORMAT = 28;
    public static final int WIDTH = 32;
    public static final int HEIGHT = 36;
    public static final int BYTES = 40;

    private Create2d() {}
  }

  /**
   * struct virtio_gpu_resource_unref, virtio_gpu_resource_detach_backing and
   * virtio_gpu_resource_assign_uuid, which are alike.
   */
  public static final class OfResource {
    public static final int RESOURCE_ID = 24;
    public static final int BYTES = 32;

    private OfResource() {}
  }

  /** struct virtio_gpu_set_scanout. */
  public static final class SetScanout {
    public static final int RECTANGLE = 24;
    public static final int SCANOUT_ID = 40;
    public static final int RESOURCE_ID = 44;
    public static final int BYTES = 48;

    private SetScanout() {}
  }

  /** struct virtio_gpu_resource_flush. */
  public static final class Flush {
    public static final int RECTANGLE = 24;
    public static final int RESOURCE_ID = 40;
    public static final int BYTES = 48;

    private Flush() {}
  }

  /** struct virtio_gpu_transfer_to_host_2d. */
  public static final class TransferToHost2d {
    public static final int RECTANGLE = 24;

    /** 64 bits. */
    public static final int OFFSET = 40;

    public static final int RESOURCE_ID = 48;
    public static final int BYTES = 56;

    private TransferToHost2d() {}
  }

  /** struct virtio_gpu_resource_attach_backing, behind which entries follow. */
  public static final class AttachBacking {
    public static final int RESOURCE_ID = 24;
    public static final int NR_ENTRIES = 28;
    public static final int BYTES = 32;

    private AttachBacking() {}
  }

  /** struct virtio_gpu_get_capset_info and virtio_gpu_get_capset. */
  public static final class GetCapset {
    public static final int BYTES = 32;

    private GetCapset() {}
  }

  /** struct virtio_gpu_resource_create_blob, behind which entries follow. */
  public static final class CreateBlob {
    public static final int RESOURCE_ID = 24;
    public static final int BLOB_MEM = 28;
    public static final int BLOB_FLAGS = 32;
    public static final int NR_ENTRIES = 36;

    /** 64 bits. */
    public static final int SIZE = 48;

    public static final int BYTES = 56;

    private CreateBlob() {}
  }

  /** struct virtio_gpu_set_scanout_blob. */
  public static final class SetScanoutBlob {
    public static final int RECTANGLE = 24;
    public static final int SCANOUT_ID = 40;
    public static final int RESOURCE_ID = 44;
    public static final int WIDTH = 48;
    public static final int HEIGHT = 52;
    public static final int FORMAT = 56;

    /** Four, of planes; no format has more than one. */
    public static final int STRIDES = 64;

    /** Four. */
    public static final int OFFSETS = 80;

    public static final int BYTES = 96;

    private SetScanoutBlob() {}
  }

  /** struct virtio_gpu_update_cursor. */
  public static final class UpdateCursor {
    public static final int SCANOUT_ID = 24;
    public static final int X = 28;
    public static final int Y = 32;
    public static final int RESOURCE_ID = 40;
    public static final int BYTES = 56;

    private UpdateCursor() {}
  }

  /** struct virtio_gpu_mem_entry. */
  public static final class MemEntry {
    /** 64 bits. */
    public static final int ADDR = 0;

    public static final int LENGTH = 8;
    public static final int BYTES = 16;

    private MemEntry() {}
  }
}

package dev.peerbar.lab.uapi;

/** The requests of {@code drm/drm.h} and {@code drm/drm_mode.h} that are used here. */
public final class DrmIoctls {
  private static final char BASE = 'd';

  public static final Ioctl DRM_IOCTL_GEM_CLOSE =
      Ioctl.iow("DRM_IOCTL_GEM_CLOSE", BASE, 0x09, DrmGemClose.SIZE);
  public static final Ioctl DRM_IOCTL_SET_MASTER = Ioctl.io("DRM_IOCTL_SET_MASTER", BASE, 0x1e);
  public static final Ioctl DRM_IOCTL_DROP_MASTER = Ioctl.io("DRM_IOCTL_DROP_MASTER", BASE, 0x1f);
  public static final Ioctl DRM_IOCTL_PRIME_HANDLE_TO_FD =
      Ioctl.iowr("DRM_IOCTL_PRIME_HANDLE_TO_FD", BASE, 0x2d, DrmPrimeHandle.SIZE);
  public static final Ioctl DRM_IOCTL_PRIME_FD_TO_HANDLE =
      Ioctl.iowr("DRM_IOCTL_PRIME_FD_TO_HANDLE", BASE, 0x2e, DrmPrimeHandle.SIZE);
  public static final Ioctl DRM_IOCTL_MODE_GETRESOURCES =
      Ioctl.iowr("DRM_IOCTL_MODE_GETRESOURCES", BASE, 0xa0, DrmModeCardRes.SIZE);
  public static final Ioctl DRM_IOCTL_MODE_SETCRTC =
      Ioctl.iowr("DRM_IOCTL_MODE_SETCRTC", BASE, 0xa2, DrmModeCrtc.SIZE);
  public static final Ioctl DRM_IOCTL_MODE_GETCONNECTOR =
      Ioctl.iowr("DRM_IOCTL_MODE_GETCONNECTOR", BASE, 0xa7, DrmModeGetConnector.SIZE);
  public static final Ioctl DRM_IOCTL_MODE_RMFB =
      Ioctl.iowr("DRM_IOCTL_MODE_RMFB", BASE, 0xaf, Integer.BYTES);
  public static final Ioctl DRM_IOCTL_MODE_DIRTYFB =
      Ioctl.iowr("DRM_IOCTL_MODE_DIRTYFB", BASE, 0xb1, DrmModeDirtyFb.SIZE);
  public static final Ioctl DRM_IOCTL_MODE_CREATE_DUMB =
      Ioctl.iowr("DRM_IOCTL_MODE_CREATE_DUMB", BASE, 0xb2, DrmModeCreateDumb.SIZE);
  public static final Ioctl DRM_IOCTL_MODE_MAP_DUMB =
      Ioctl.iowr("DRM_IOCTL_MODE_MAP_DUMB", BASE, 0xb3, DrmModeMapDumb.SIZE);
  public static final Ioctl DRM_IOCTL_MODE_ADDFB2 =
      Ioctl.iowr("DRM_IOCTL_MODE_ADDFB2", BASE, 0xb8, DrmModeFbCmd2.SIZE);

  private DrmIoctls() {}
}

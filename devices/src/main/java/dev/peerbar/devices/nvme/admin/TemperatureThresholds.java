package dev.peerbar.devices.nvme.admin;

/** The Temperature Threshold feature (NVMe 1.4 5.21.1.4), of the composite temperature. */
final class TemperatureThresholds {
  private static final int DWORD11 = 11;
  private static final int KELVIN_MASK = 0xffff;
  private static final int SENSOR_SHIFT = 16;
  private static final int SENSOR_MASK = 0xf;
  private static final int TYPE_SHIFT = 20;
  private static final int TYPE_MASK = 0x3;

  private static final int COMPOSITE = 0;

  /** In Set Features: of every sensor there is. */
  private static final int EVERY_SENSOR = 0xf;

  private static final int OVER = 0;
  private static final int UNDER = 1;

  private static final int DEFAULT_OVER = SmartLog.WARNING_TEMPERATURE;
  private static final int DEFAULT_UNDER = 0;

  private int over = DEFAULT_OVER;
  private int under = DEFAULT_UNDER;

  /**
   * @param temperature in kelvin
   */
  boolean crossed(int temperature) {
    return temperature >= over || temperature <= under;
  }

  void get(AdminCommand command, int dword, boolean current) {
    if (judge(command, dword, false)) {
      boolean ofOver = (dword >>> TYPE_SHIFT & TYPE_MASK) == OVER;
      command.succeed(ofOver ? (current ? over : DEFAULT_OVER) : (current ? under : DEFAULT_UNDER));
    }
  }

  /** Ends the command; says whether it changed a threshold. */
  boolean set(AdminCommand command, int dword) {
    if (!judge(command, dword, true)) {
      return false;
    }
    if ((dword >>> TYPE_SHIFT & TYPE_MASK) == OVER) {
      over = dword & KELVIN_MASK;
    } else {
      under = dword & KELVIN_MASK;
    }
    command.succeed();
    return true;
  }

  private static boolean judge(AdminCommand command, int dword, boolean set) {
    int sensor = dword >>> SENSOR_SHIFT & SENSOR_MASK;
    if (sensor != COMPOSITE && !(set && sensor == EVERY_SENSOR)) {
      command.invalidField(Parameter.of(DWORD11, SENSOR_SHIFT));
      return false;
    }
    if ((dword >>> TYPE_SHIFT & TYPE_MASK) > UNDER) {
      command.invalidField(Parameter.of(DWORD11, TYPE_SHIFT));
      return false;
    }
    return true;
  }
}

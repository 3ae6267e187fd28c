/** The {@code life} family: functions that are opened, attached, detached and closed. */
package dev.peerbar.scenario.life;

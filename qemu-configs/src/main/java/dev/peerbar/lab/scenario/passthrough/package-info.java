/** Endpoints in the hands of a user-space driver, through vfio-pci, and of each other. */
package dev.peerbar.lab.scenario.passthrough;

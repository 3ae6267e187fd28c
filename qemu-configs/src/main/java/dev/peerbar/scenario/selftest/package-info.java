/** The kernel's own tests of vfio (tools/testing/selftests/vfio), tried with each endpoint. */
package dev.peerbar.scenario.selftest;

/**
 * What benchmarks are set up with: a server and a client in this process, and the floor, a thread
 * that does one recvmsg and one sendmsg a message.
 */
package dev.peerbar.bench.rig;

/** The codec alone: messages become bytes and bytes become messages, without a socket (JMH). */
package dev.peerbar.bench.codec;

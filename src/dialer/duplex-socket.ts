import type { Duplex } from 'node:stream'

/** Libraries call these on what they take for a socket of `node:net`; ours is connected, tuned and has deadlines of its own. */
export function withSocketMethods(stream: Duplex): Duplex {
  const itself = () => stream
  return Object.assign(stream, {
    setNoDelay: itself,
    setKeepAlive: itself,
    setTimeout: itself,
    ref: itself,
    unref: itself,
  })
}

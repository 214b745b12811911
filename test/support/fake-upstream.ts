import { createServer, type Socket } from 'node:net'

/** A server on loopback that keeps what it is sent and answers as the test says: the attacker's side. */
export interface FakeUpstream {
  readonly port: number
  /** Sockets accepted so far. */
  readonly accepted: number
  /** Everything received so far, of all sockets. */
  received(): Buffer
  stop(): Promise<void>
}

/**
 * @param answer called with each chunk and how many came before it on the same socket
 * @param greet called with each socket when it is accepted
 */
export async function startFakeUpstream(
  answer: (socket: Socket, chunk: Buffer, index: number) => void = () => undefined,
  greet: (socket: Socket) => void = () => undefined,
): Promise<FakeUpstream> {
  const chunks: Buffer[] = []
  const sockets = new Set<Socket>()
  let accepted = 0
  const server = createServer((socket) => {
    accepted++
    sockets.add(socket)
    let index = 0
    socket.on('error', () => undefined)
    socket.on('close', () => sockets.delete(socket))
    socket.on('data', (chunk) => {
      chunks.push(chunk)
      answer(socket, chunk, index++)
    })
    greet(socket)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return {
    port: address.port,
    get accepted() {
      return accepted
    },
    received: () => Buffer.concat(chunks),
    stop: () =>
      new Promise((resolve) => {
        for (const socket of sockets) socket.destroy()
        server.close(() => resolve())
      }),
  }
}

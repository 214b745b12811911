import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'

/** A port of 127.0.0.1 that answers nothing, as behind a firewall that drops packets. Linux only. */
export interface BlackHole {
  readonly port: number
  stop(): Promise<void>
}

const LISTENER = `
  const server = require('node:net').createServer()
  server.listen({ host: '127.0.0.1', port: 0, backlog: 1 }, () => process.stdout.write(String(server.address().port)))`

/** A listener that was stopped with its queue full: the system then drops whatever asks to connect. */
export async function startBlackHole(): Promise<BlackHole> {
  const listener = spawn(process.execPath, ['-e', LISTENER], { stdio: ['ignore', 'pipe', 'ignore'] })
  const killAtExit = (): void => void listener.kill('SIGKILL')
  process.once('exit', killAtExit)
  const [text] = (await once(listener.stdout, 'data')) as [Buffer]
  const port = Number(text.toString())
  listener.kill('SIGSTOP')
  const sockets: Socket[] = []
  // Those that fit connect at once; the first one that does not shows that the queue is full.
  for (let isFull = false; !isFull && sockets.length < 2_000;) {
    const socket = connect(port, '127.0.0.1')
    socket.on('error', () => undefined)
    sockets.push(socket)
    isFull = await Promise.race([
      once(socket, 'connect').then(() => false),
      new Promise<boolean>((resolve) => setTimeout(() => resolve(true), 500)),
    ])
  }
  return {
    port,
    async stop() {
      process.off('exit', killAtExit)
      for (const socket of sockets) socket.destroy()
      const ended = once(listener, 'exit')
      listener.kill('SIGKILL')
      await ended
    },
  }
}

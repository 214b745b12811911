import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'

/** Whom the certificate of a session lets in. */
export interface Admission {
  /** Database users that belong to identities: nobody else gets in as one of them. */
  readonly identityUsers: ReadonlySet<string>
  /** Whether the flag of the instance lets identities in at all. */
  readonly isOn: boolean
  /** The one that the certificate logs in as. */
  readonly user: string | undefined
  readonly asksPassword: boolean
  isTokenOf(token: string, user: string): boolean
}

/** Collects until `length` says how much there must be, hands that over, and stops listening. */
function readPart(socket: TLSSocket, length: (bytes: Buffer) => number | undefined): Promise<Buffer> {
  return new Promise((resolve) => {
    let bytes = Buffer.alloc(0)
    const onData = (chunk: Buffer): void => {
      bytes = Buffer.concat([bytes, chunk])
      const needed = length(bytes)
      if (needed === undefined || bytes.length < needed) return
      socket.off('data', onData)
      socket.pause()
      resolve(bytes)
    }
    socket.on('data', onData)
    socket.resume()
  })
}

function pipeBoth(socket: TLSSocket, backend: Socket, firstBytes: Buffer): void {
  backend.write(firstBytes)
  socket.pipe(backend)
  backend.pipe(socket)
}

/** The login of PostgreSQL; the database behind lets users of identities in as they come. */
export async function admitPostgres(socket: TLSSocket, backend: Socket, admission: Admission): Promise<void> {
  const startup = await readPart(socket, (bytes) => (bytes.length < 4 ? undefined : bytes.readUInt32BE(0)))
  const words = startup.subarray(8).toString().split('\0')
  const user = words[words.indexOf('user') + 1] ?? ''
  // A cancel request has no user, and is the business of the database alone.
  const isLogin = startup.readUInt32BE(4) === 196_608
  if (!isLogin || !admission.identityUsers.has(user)) return pipeBoth(socket, backend, startup)
  const refuse = (): void => {
    const fields = `SFATAL\0VFATAL\0C28P01\0MCloud SQL IAM service account authentication failed for user "${user}"\0\0`
    const message = Buffer.alloc(5 + fields.length)
    message.write('E')
    message.writeUInt32BE(4 + fields.length, 1)
    message.write(fields, 5)
    socket.end(message)
  }
  if (!admission.isOn || admission.user !== user) return refuse()
  if (admission.asksPassword) {
    socket.write(Buffer.from([0x52, 0, 0, 0, 8, 0, 0, 0, 3]))
    const answer = await readPart(socket, (bytes) => (bytes.length < 5 ? undefined : 1 + bytes.readUInt32BE(1)))
    if (!admission.isTokenOf(answer.subarray(5, -1).toString(), user)) return refuse()
  }
  pipeBoth(socket, backend, startup)
}

/** The login of MySQL: who comes as an identity is asked for the clear text; the database behind has no password for it. */
export async function admitMysql(socket: TLSSocket, backend: Socket, admission: Admission): Promise<void> {
  backend.once('data', (greeting: Buffer) => socket.write(greeting))
  const packetLength = (bytes: Buffer) => (bytes.length < 4 ? undefined : 4 + bytes.readUIntLE(0, 3))
  const response = await readPart(socket, packetLength)
  const userEnd = response.indexOf(0, 36)
  const user = response.subarray(36, userEnd).toString()
  if (!admission.identityUsers.has(user)) return pipeBoth(socket, backend, response)
  const refuse = (sequence: number): void => {
    const text = `\xff\x15\x04#28000Access denied for user '${user}'@'cloudsqlproxy~127.0.0.1' (using password: YES)`
    socket.end(packet(sequence, Buffer.from(text, 'latin1')))
  }
  if (!admission.isOn || admission.user !== user) return refuse(2)
  socket.write(packet(2, Buffer.from('\xfemysql_clear_password\0', 'latin1')))
  const clear = await readPart(socket, packetLength)
  if (!admission.isTokenOf(clear.subarray(4, -1).toString(), user)) return refuse(4)
  // The database is told of no password, and its answer is numbered after the packets that it did not see.
  const rest = response.subarray(userEnd + 2 + (response[userEnd + 1] ?? 0))
  const told = packet(1, Buffer.concat([response.subarray(4, userEnd + 1), Buffer.from([0]), rest]))
  backend.once('data', (ok: Buffer) => {
    ok[3] = 4
    socket.write(ok)
    socket.pipe(backend)
    backend.pipe(socket)
  })
  backend.write(told)
}

function packet(sequence: number, payload: Buffer): Buffer {
  const header = Buffer.alloc(4)
  header.writeUIntLE(payload.length, 0, 3)
  header[3] = sequence
  return Buffer.concat([header, payload])
}

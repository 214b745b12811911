import { describe, expect, it } from 'vitest'
import { explainHandshake } from './explain-handshake.ts'
import { ServerOffer } from './server-offer.ts'
import { sshString } from './ssh-wire.ts'

const LISTS = {
  keyExchanges: ['curve25519-sha256', 'kex-strict-s-v00@openssh.com'],
  hostKeys: ['ssh-ed25519', 'rsa-sha2-512'],
  ciphers: ['aes256-gcm@openssh.com', 'aes256-ctr'],
  macs: ['hmac-sha2-256'],
}

/** The first bytes of a server: lines before the identification, identification, KEXINIT. */
function greeting(lists = LISTS, before = 'Welcome.\r\n'): Buffer {
  const names = [
    lists.keyExchanges,
    lists.hostKeys,
    ['x'],
    lists.ciphers,
    ['x'],
    lists.macs,
    ['none'],
    ['none'],
    [],
    [],
  ]
  const payload = Buffer.concat([
    Buffer.from([20]),
    Buffer.alloc(16),
    ...names.map((list) => sshString(list.join(','))),
    Buffer.alloc(5),
  ])
  const padding = Buffer.alloc(4)
  const head = Buffer.alloc(5)
  head.writeUInt32BE(1 + payload.length + padding.length)
  head[4] = padding.length
  return Buffer.concat([Buffer.from(`${before}SSH-2.0-OpenSSH_9.2 Debian\r\n`), head, payload, padding])
}

function offerOf(...chunks: readonly Uint8Array[]): ServerOffer {
  const offer = new ServerOffer()
  for (const chunk of chunks) offer.receive(chunk)
  return offer
}

describe('what a server says before the keys are exchanged', () => {
  it('is read, split at every byte', () => {
    const bytes = greeting()
    for (let cut = 0; cut <= bytes.length; cut++) {
      const offer = offerOf(bytes.subarray(0, cut), bytes.subarray(cut), Buffer.from('ciphertext'))
      expect(offer).toMatchObject({ identification: 'SSH-2.0-OpenSSH_9.2 Debian', algorithms: LISTS })
    }
    const single = offerOf(...[...bytes].map((byte) => Buffer.from([byte])))
    expect(single.algorithms).toEqual(LISTS)
  })

  it('may be anything: nothing is kept beyond a bound, and nothing throws', () => {
    expect(offerOf()).toMatchObject({ hasSpoken: false, identification: undefined })
    const noise = offerOf(...Array.from({ length: 100 }, () => Buffer.alloc(4096, 0xff)))
    expect(noise).toMatchObject({ hasSpoken: true, identification: undefined, algorithms: undefined })
    const endless = Buffer.concat([Buffer.from('SSH-2.0-x\n'), Buffer.from([0xff, 0xff, 0xff, 0xff, 0, 20])])
    expect(offerOf(endless, Buffer.alloc(200_000)).algorithms).toBeUndefined()
    const short = Buffer.concat([Buffer.from('SSH-2.0-x\n'), Buffer.from([0, 0, 0, 3, 0, 20, 1])])
    expect(offerOf(short).algorithms).toBeUndefined()
  })
})

describe('a failed handshake', () => {
  const explain = (offer: ServerOffer) => explainHandshake('the SSH server', offer, undefined)
  const mismatch = (lists: Partial<typeof LISTS>) => explain(offerOf(greeting({ ...LISTS, ...lists })))

  it.each([
    [
      { keyExchanges: ['diffie-hellman-group14-sha256'] },
      'key exchange',
      'diffie-hellman-group14-sha256',
      /KexAlgorithms/,
    ],
    [{ hostKeys: ['ssh-dss'] }, 'kind of host key', 'ssh-dss', /HostKeyAlgorithms/],
    [{ ciphers: ['chacha20-poly1305@openssh.com'] }, 'cipher', 'chacha20-poly1305@openssh.com', /Ciphers/],
    [{ macs: ['hmac-sha1'] }, 'message authentication', 'hmac-sha1', /MACs/],
  ])('names what is not in common: %j', (lists, what, theirs, hint) => {
    const error = mismatch(lists)
    expect(error.code).toBe('UPSTREAM_SSH_PROTOCOL')
    expect(error.message).toBe(`the SSH server and Postern have no ${what} in common; it offers only ${theirs}`)
    expect(error.hint).toMatch(hint)
  })

  it('says when nothing answered, or something else than SSH', () => {
    expect(explain(offerOf()).code).toBe('UPSTREAM_SSH_UNREACHABLE')
    expect(explain(offerOf(Buffer.from('HTTP/1.1 400 Bad Request\r\n'))).message).toMatch(/does not speak SSH/)
    expect(explain(offerOf(greeting())).message).toBe('the SSH handshake with the SSH server failed')
  })
})

import { describe, expect, it } from 'vitest'
import { sameHostAdvice, sameHostForm } from './same-host-advice.ts'

const GATEWAY_LINE = '--add-host=host.docker.internal:host-gateway'

describe('a database on the same machine', () => {
  it.each(['localhost', 'LOCALHOST.', '127.0.0.1', '127.8.8.8', '::1'])(
    'from a container, %s is the container',
    (host) => {
      const onLinux = sameHostAdvice(host, { inContainer: true, platform: 'linux' })
      expect(onLinux).toContain('use host.docker.internal')
      expect(onLinux).toContain(GATEWAY_LINE)
      const onMac = sameHostAdvice(host, { inContainer: true, platform: 'darwin' })
      expect(onMac).toContain('use host.docker.internal')
      expect(onMac).not.toContain(GATEWAY_LINE)
    },
  )

  it('outside a container, host.docker.internal means nothing', () => {
    const advice = sameHostAdvice('Host.Docker.Internal', { inContainer: false, platform: 'linux' })
    expect(advice).toContain('use 127.0.0.1')
  })

  it.each([
    ['localhost', false],
    ['host.docker.internal', true],
    ['db.example.test', true],
    ['127.example.test', true],
    ['localhost.example.test', true],
  ])('%s says nothing (in a container: %s)', (host, inContainer) => {
    expect(sameHostAdvice(host, { inContainer, platform: 'linux' })).toBeUndefined()
  })

  it('is filled in by the form already', () => {
    expect(sameHostForm({ inContainer: false, platform: 'linux' }).host).toBe('127.0.0.1')
    const inside = sameHostForm({ inContainer: true, platform: 'linux' })
    expect(inside.host).toBe('host.docker.internal')
    expect(inside.note).toContain(GATEWAY_LINE)
  })
})

import { AddressRules } from '../../src/dialer/address-rules.ts'
import type { DialerDependencies } from '../../src/dialer/dial.ts'
import { noCloudLogins } from '../../src/dialer/cloud-logins.ts'
import { noSecretReferences } from '../../src/dialer/secret-references.ts'
import { noTunnels } from '../../src/dialer/ssh-tunnels.ts'
import { bunTransport } from '../../src/transport/bun/bun-transport.ts'

/** A dialer as a process composes it, without tunnels and without folders of TLS files unless they are given. */
export function testDialer(parts: Partial<DialerDependencies> = {}): DialerDependencies {
  return {
    transport: bunTransport,
    addressRules: AddressRules.create(),
    tunnels: noTunnels,
    secretReferences: noSecretReferences,
    cloudLogins: noCloudLogins,
    tlsFileFolders: [],
    ...parts,
  }
}

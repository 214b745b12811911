import { PosternError } from '../base/errors.ts'

const label = '[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?'
const hostName = new RegExp(`^${label}(\\.${label})*$`)
const mostHosts = 20

/** 1 to 63 letters, digits, spaces, dots, dashes and underscores. @throws PosternError INVALID_ARGUMENT */
export function checkedWorkspaceName(text: string): string {
  const name = text.trim().normalize('NFC')
  if (!/^[\p{L}\p{N}][\p{L}\p{N} ._-]{0,62}$/u.test(name)) {
    throw new PosternError(
      'INVALID_ARGUMENT',
      'name: must be 1 to 63 letters, digits, spaces, dots, dashes and underscores, and begin with a letter or digit',
    )
  }
  return name
}

/** The domain below which the host names of instances stand, in lower case. @throws PosternError INVALID_ARGUMENT */
export function checkedGatewayDomain(text: string): string {
  const domain = text.trim().toLowerCase()
  if (domain.length > 190 || !hostName.test(domain)) {
    throw new PosternError('INVALID_ARGUMENT', `gatewayDomain: '${text}' is not a domain name`)
  }
  return domain
}

/**
 * Host header values in lower case, each once. Names of loopback are nobody's: every node keeps them for the workspace that it was
 * started for.
 * @throws PosternError INVALID_ARGUMENT
 */
export function checkedHosts(texts: readonly string[]): string[] {
  const hosts = [...new Set(texts.map((text) => text.trim().toLowerCase()))]
  if (hosts.length === 0 || hosts.length > mostHosts) {
    throw new PosternError('INVALID_ARGUMENT', `hosts: must hold 1 to ${mostHosts} names`)
  }
  for (const host of hosts) {
    const [name = '', port] = host.split(':')
    const isPort = port === undefined || (/^[1-9]\d{0,4}$/.test(port) && Number(port) <= 65_535)
    if (!hostName.test(name) || !isPort || host.split(':').length > 2) {
      throw new PosternError('INVALID_ARGUMENT', `hosts: '${host}' is not a host name, or one with a port`)
    }
    if (name === 'localhost' || name === '127.0.0.1') {
      throw new PosternError('INVALID_ARGUMENT', `hosts: '${name}' selects the workspace that a node was started for`)
    }
  }
  return hosts
}

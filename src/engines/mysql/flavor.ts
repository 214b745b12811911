/** Which server it is, whatever the instance was registered as: their SQL differs in places. */
export type Flavor = 'mysql' | 'mariadb' | 'tidb'

export interface ServerIdentity {
  readonly flavor: Flavor
  /** As the server names itself, without what it says for the sake of old clients: `8.0.36`, `10.11.6-MariaDB`, `7.5.0`. */
  readonly version: string
}

/** Reads `version()`: `8.0.36`, `10.11.6-MariaDB-0+deb12u1`, `8.0.11-TiDB-v7.5.0`. */
export function identifyServer(version: string): ServerIdentity {
  const tidb = /-TiDB-v?(\S+)/.exec(version)
  if (tidb !== null) return { flavor: 'tidb', version: tidb[1] ?? version }
  // For the sake of old replicas, MariaDB before 11 may call itself 5.5.5 first.
  if (/mariadb/i.test(version)) return { flavor: 'mariadb', version: version.replace(/^5\.5\.5-/, '') }
  return { flavor: 'mysql', version }
}

/** Major and minor number of a version. */
export function versionNumbers(version: string): readonly [major: number, minor: number] {
  const [, major, minor] = /^(\d+)\.(\d+)/.exec(version) ?? []
  return [Number(major ?? 0), Number(minor ?? 0)]
}

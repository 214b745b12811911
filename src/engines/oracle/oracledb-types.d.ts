/** What we use of the driver, which brings no types. */
declare module 'oracledb' {
  export interface DbType {
    readonly name: string
  }
  export interface FetchedColumn {
    readonly name: string
    readonly dbTypeName: string
    readonly dbType: DbType
    readonly precision?: number
    readonly scale?: number
    readonly byteSize?: number
  }
  export interface DriverResultSet {
    readonly metaData: readonly FetchedColumn[]
    getRows(count: number): Promise<unknown[][]>
    close(): Promise<void>
  }
  export interface DriverConnection {
    readonly oracleServerVersionString: string
    callTimeout: number
    execute(
      sql: string,
      binds: readonly unknown[],
      options: Readonly<Record<string, unknown>>,
    ): Promise<{ readonly resultSet?: DriverResultSet; readonly rowsAffected?: number }>
    break(): Promise<void>
    ping(): Promise<void>
    rollback(): Promise<void>
    close(options?: { readonly drop: boolean }): Promise<void>
  }
  const oracledb: {
    readonly OUT_FORMAT_ARRAY: number
    readonly DB_TYPE_VARCHAR: DbType
    readonly DB_TYPE_RAW: DbType
    getConnection(options: Readonly<Record<string, unknown>>): Promise<DriverConnection>
  }
  export default oracledb
}

declare module 'oracledb/lib/thin/sqlnet/ntTcp.js' {
  import type { Duplex } from 'node:stream'
  export interface Packet {
    readonly buf: Buffer
    readonly type: number
    readonly flags: number
    readonly num: number
  }
  export interface TnsTransport {
    stream: Duplex | null
    connected: boolean
    secure: boolean
    packets: Packet[]
    ntConnect(address: unknown): Promise<void>
    tlsConnect(secureContext: unknown, stream: unknown): Promise<void>
    renegTLS(): Promise<void>
    startRead(): void
    receive(): Promise<Packet | undefined>
  }
  const NTTCP: { readonly prototype: TnsTransport }
  export default NTTCP
}

declare module 'oracledb/lib/impl/datahandlers/buffer.js' {
  const buffers: {
    readonly BaseBuffer: {
      readonly prototype: { parseOracleDate(bytes: Buffer, useLocalTime?: boolean, useDbTz?: boolean): unknown }
    }
  }
  export default buffers
}

import type { ColumnType, Generated } from 'kysely'
import type { InstanceId, PrincipalId, WorkspaceId } from '../base/ids.ts'
import type { EngineName, ManageMode } from '../contract/engines.ts'

/** Instances, which of them Postern runs, and who may use and make them, by the rules of schema.ts. */
export interface InstanceSchema {
  instance: InstanceTable
  managed_instance: ManagedInstanceTable
  instance_permission: InstancePermissionTable
  instance_maker: InstanceMakerTable
}

type Immutable<T> = ColumnType<T, T, never>
type MadeByDatabase<T> = ColumnType<T, T | undefined, never>
type JsonWithDefault<T> = ColumnType<T, string | undefined, string>

export type InstanceStateColumn = 'STARTING' | 'AVAILABLE' | 'UPDATING' | 'STOPPED' | 'DELETING' | 'DELETED' | 'FAILED'

interface InstanceTable {
  id: Immutable<InstanceId>
  workspace_id: Immutable<WorkspaceId>
  name: string
  kind: Immutable<'external' | 'managed'>
  engine: Immutable<EngineName>
  state: InstanceStateColumn
  state_reason: string | null
  native_login_enabled: Generated<boolean>
  native_login_roles: Generated<readonly string[]>
  access_token_login_enabled: Generated<boolean>
  end_sessions_on_revocation: Generated<boolean>
  default_database: string
  server_version: string | null
  system_identifier: string | null
  creator_id: PrincipalId | null
  created_at: MadeByDatabase<Date>
  updated_at: Generated<Date>
  version: ColumnType<string, string | undefined, string>
  title: Generated<string>
  environment: string | null
  labels: JsonWithDefault<Readonly<Record<string, string>>>
  external_link: string | null
  manage_mode: ManageMode | null
  sync_interval_seconds: number | null
  sync_databases: string[] | null
  deleted_at: Date | null
  compatible_settings: JsonWithDefault<CompatibleSettings>
}

/** Inputs of the compatible API that change nothing here and are answered as they were given. */
export interface CompatibleSettings {
  readonly capacity?: string | undefined
  readonly usagePolicyId?: string | undefined
  readonly customTags?: readonly { readonly key: string; readonly value: string }[] | undefined
}

export interface ManagedInstanceTable {
  instance_id: Immutable<InstanceId>
  node_id: Immutable<string>
  slot: Immutable<number>
  desired: 'running' | 'stopped' | 'deleted'
  socket_path: string | null
  observed_at: Date | null
}

interface InstancePermissionTable {
  instance_id: Immutable<InstanceId>
  principal_id: Immutable<PrincipalId>
  level: 'use' | 'manage'
  created_at: MadeByDatabase<Date>
}

interface InstanceMakerTable {
  workspace_id: Immutable<WorkspaceId>
  principal_id: Immutable<PrincipalId>
  created_at: MadeByDatabase<Date>
}

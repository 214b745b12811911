import type { GrantedPermission } from '../../access/change-instance-permissions.ts'
import type { InstanceMaker as InstanceMakerRow } from '../../access/instance-makers.ts'
import { LEVEL_NAME } from '../../access/instance-permissions.ts'
import type { InstanceMaker, InstancePermission } from '../../contract/instance-permissions.ts'

export function presentInstancePermission(row: GrantedPermission): InstancePermission {
  return { ...presentInstanceMaker(row), level: LEVEL_NAME[row.level] }
}

export function presentInstanceMaker({ principalId, principalKind, principalName }: InstanceMakerRow): InstanceMaker {
  return { principal: { id: principalId, kind: principalKind, name: principalName } }
}

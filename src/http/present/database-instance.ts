import type { DatabaseInstance, DatabaseInstanceState } from '../../contract/database-instances.ts'
import type { DatabaseInstanceView } from '../../instances/read-database-instances.ts'

/**
 * An instance in the words of the compatible API.
 * @param given the answer to a creation or a change: only there clients look for the tags that they gave
 */
export function presentDatabaseInstance(
  instance: DatabaseInstanceView,
  given: { readonly isChange: boolean } = { isChange: false },
): DatabaseInstance {
  const { name, nativeLoginEnabled, serverVersion, compatibleSettings } = instance
  const { capacity, usagePolicyId, customTags } = compatibleSettings
  const state = stateOf(instance)
  const size = capacity as DatabaseInstance['capacity']
  const tags = customTags?.map(({ key, value }) => ({ key, value }))
  return {
    name,
    uid: instance.id,
    state,
    creation_time: instance.createdAt.toISOString().replace(/\.\d+Z$/, 'Z'),
    read_write_dns: `${name}.${instance.gatewayDomain}`,
    ...(instance.creatorName !== null && { creator: instance.creatorName }),
    ...(serverVersion !== null && { pg_version: `PG_VERSION_${/^\d+/.exec(serverVersion)?.[0] ?? serverVersion}` }),
    ...(size && { capacity: size, effective_capacity: size }),
    node_count: 1,
    effective_node_count: 1,
    enable_pg_native_login: nativeLoginEnabled,
    effective_enable_pg_native_login: nativeLoginEnabled,
    effective_enable_readable_secondaries: false,
    stopped: state === 'STOPPED',
    effective_stopped: state === 'STOPPED',
    ...(usagePolicyId && { usage_policy_id: usagePolicyId, effective_usage_policy_id: usagePolicyId }),
    ...(tags && given.isChange && { custom_tags: tags }),
    ...(tags && { effective_custom_tags: tags }),
  }
}

/**
 * Clients wait for AVAILABLE and refuse any other state. A database that did not answer when it was last looked at, and a
 * managed one that does not start, is STOPPED to them: there is no word for it among theirs.
 */
function stateOf({ state, answers }: DatabaseInstanceView): DatabaseInstanceState {
  switch (state) {
    case 'AVAILABLE':
      return answers === false ? 'STOPPED' : 'AVAILABLE'
    case 'STARTING':
    case 'UPDATING':
    case 'STOPPED':
    case 'DELETING':
      return state
    case 'FAILED':
      return 'STOPPED'
    case 'DELETED':
      return 'DELETING'
  }
}

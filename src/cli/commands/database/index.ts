import type { Noun } from '../../verb.ts'
import { verb as createDatabaseInstanceRole } from './create-database-instance-role.ts'
import { verb as createDatabaseInstance } from './create-database-instance.ts'
import { verb as deleteDatabaseInstanceRole } from './delete-database-instance-role.ts'
import { verb as deleteDatabaseInstance } from './delete-database-instance.ts'
import { verb as findDatabaseInstanceByUid } from './find-database-instance-by-uid.ts'
import { verb as generateDatabaseCredential } from './generate-database-credential.ts'
import { verb as getDatabaseInstanceRole } from './get-database-instance-role.ts'
import { verb as getDatabaseInstance } from './get-database-instance.ts'
import { verb as listDatabaseInstanceRoles } from './list-database-instance-roles.ts'
import { verb as listDatabaseInstances } from './list-database-instances.ts'
import { verb as updateDatabaseInstance } from './update-database-instance.ts'

export const database: Noun = {
  name: 'database',
  summary: 'Commands as the Databricks CLI spells them',
  verbs: [
    generateDatabaseCredential,
    listDatabaseInstances,
    getDatabaseInstance,
    createDatabaseInstance,
    updateDatabaseInstance,
    deleteDatabaseInstance,
    findDatabaseInstanceByUid,
    listDatabaseInstanceRoles,
    getDatabaseInstanceRole,
    createDatabaseInstanceRole,
    deleteDatabaseInstanceRole,
  ],
}

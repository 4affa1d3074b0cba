"""
What each check item checks, what is wrong when it fails, how to fix it, and the page of the service's manual.

From the troubleshooting chapter of the user manual and the examples of drs_03_0111. The set is open and differs
by engine and mode: DRS may return items that are not listed here.
"""

from __future__ import annotations

from dataclasses import dataclass

#: The chapter of the service's manual to which the pages below are relative.
MANUAL_URL = "https://docs.otc.t-systems.com/data-replication-service/umn/troubleshooting/solutions_to_failed_check_items/"
_OVERVIEW_URL = f"{MANUAL_URL}index.html"


@dataclass(frozen=True, slots=True)
class CheckText:
    """
    The texts of one check item.

    :param title: what is checked, in 2 to 6 words.
    :param problem: what is wrong when the item fails, or what an alarm warns of.
    :param fix: how to fix it.
    :param page: the page of the manual, relative to :data:`MANUAL_URL`; empty if there is none.
    """

    title: str
    problem: str
    fix: str
    page: str = ""

    @property
    def url(self) -> str:
        """The page of the manual, or its overview of all check items."""
        return f"{MANUAL_URL}{self.page}.html" if self.page else _OVERVIEW_URL


def explain(item: str) -> CheckText:
    """Return the texts of a check item; general texts, with its name as the title, for an unknown one."""
    return CHECKS.get(item) or CheckText(item, *_UNKNOWN)


def label_item(item: str) -> str:
    """Return title and name of a check item; the name of an unknown one."""
    return f"{CHECKS[item].title} ({item})" if item in CHECKS else item


_UNKNOWN = (
    "The check item is not in the catalog of this provider version. See the reason that DRS returned.",
    "Open the job's pre-check page in the DRS console, and look the item up in the manual.",
)


CHECKS: dict[str, CheckText] = {
    "dstDbDiskSize": CheckText(
        "Destination storage space",
        "The destination has too little free storage for the data to migrate.",
        "Scale up the destination's storage to 2.5 times the source data (PostgreSQL, MongoDB: 1.5 times), or to the source data plus 200 GB if that is less. If you free up space instead, wait 2-3 minutes before the next pre-check.",
        "disk_space/checking_whether_the_destination_database_has_sufficient_storage_space",
    ),
    "checkIncreSrcDbExistedInDstDb": CheckText(
        "Database name conflicts",
        "The destination already has a database with the name of a source database.",
        "Delete the databases with the same names on the destination if they are not needed, or select another destination instance.",
        "conflicts/checking_whether_the_names_of_the_source_and_destination_databases_are_the_same",
    ),
    "dbCharacterSetConsistency": CheckText(
        "Server character sets",
        "The server character sets of source and destination differ.",
        "Set `character_set_server` to the same value on both, for example `SET GLOBAL character_set_server = 'utf8mb4'`, or with the parameter group of a cloud instance.",
        "database_parameters/checking_whether_the_source_and_destination_database_character_sets_are_consistent",
    ),
    "dbClockConsistency": CheckText(
        "Server clocks",
        "The clocks of source and destination differ.",
        "Synchronize both servers with the same NTP server.",
    ),
    "dbCollationServerConsistency": CheckText(
        "Server collations",
        "`collation_server` differs between source and destination.",
        "Set `collation_server` to the same value on both.",
        "database_parameters/checking_whether_the_collation_server_values_of_the_source_and_destination_databases_are_the_same",
    ),
    "dbIsolationLevelConsistency": CheckText(
        "Transaction isolation levels",
        "The transaction isolation levels of source and destination differ.",
        "Set `tx_isolation` or `transaction_isolation` on the destination to the value of the source.",
        "database_parameters/checking_whether_the_transaction_isolation_levels_are_consistent",
    ),
    "dbParamConsistency": CheckText(
        "Database parameters",
        "Parameters that affect the migration of table structures differ between source and destination.",
        "Set the parameters that the failure reason lists to the same values on both. DrsCompareParametersOperator shows them.",
    ),
    "dbServerUuidConsistency": CheckText(
        "Server UUIDs",
        "`server_uuid` is the same on source and destination: both are the same MySQL server.",
        "Correct the source or the destination of the job; they must be two different servers.",
        "database_parameters/checking_whether_the_server_uuid_values_of_the_source_and_destination_databases_are_the_same",
    ),
    "dstMaxAllowedPacketCheck": CheckText(
        "Destination max_allowed_packet",
        "`max_allowed_packet` on the destination is below 100 MB, so that writing large rows can fail.",
        "Set `max_allowed_packet` on the destination to more than 100 MB.",
        "database_parameters/checking_whether_the_max_allowed_packet_value_of_the_destination_database_is_too_small",
    ),
    "hasForeignKeyOnUnselectedTable": CheckText(
        "Foreign key references",
        "Selected tables have foreign keys to tables that are not selected.",
        "Select the referenced tables as well.",
        "object_dependencies/checking_whether_referenced_tables_are_selected_for_migration",
    ),
    "innodbStrictModeConsistency": CheckText(
        "InnoDB strict mode",
        "`innodb_strict_mode` differs between source and destination.",
        "Set `innodb_strict_mode` on the destination to the value of the source, with the parameter group of a cloud instance.",
        "database_parameters/checking_whether_the_innodb_strict_mode_values_of_the_source_and_destination_databases_are_the_same",
    ),
    "isUserRequireSslLink": CheckText(
        "SSL settings of the accounts",
        "The SSL settings of the job do not match what the database accounts require.",
        "Do one of the following: upload the CA certificate and enable SSL for the job; disable SSL for the job; use an account without `REQUIRE SSL`. An alarm does not block the migration.",
        "ssl_connections/checking_whether_the_ssl_connection_is_correctly_configured",
    ),
    "sqlModeConsistency": CheckText(
        "SQL modes",
        "`sql_mode` differs between source and destination.",
        "Set `sql_mode` on the destination to the value of the source. For MyISAM tables it must not contain `NO_ENGINE_SUBSTITUTION`.",
        "database_parameters/checking_whether_the_sql_mode_values_of_the_source_and_destination_databases_are_the_same",
    ),
    "sqlModeNoEngine": CheckText(
        "SQL mode for MyISAM tables",
        "MyISAM tables are selected, and `sql_mode` on the destination is `NO_ENGINE_SUBSTITUTION`.",
        "Set `sql_mode` on the destination to another value.",
        "database_parameters/checking_whether_the_sql_mode_value_in_the_destination_database_is_not_no_engine_substitution",
    ),
    "srcBinlogFormatCheck": CheckText(
        "Source binary log format",
        "The source database does not write its binary log in ROW format, which incremental replication requires.",
        "Set `binlog_format = ROW` in my.cnf and restart the source, or run `SET GLOBAL binlog_format = 'ROW'` and close all existing connections.",
        "database_parameters/checking_whether_the_source_database_binlog_is_row-based",
    ),
    "srcBinlogRowImageCheck": CheckText(
        "Source binary log row image",
        "`binlog_row_image` on the source is not FULL, so that row changes cannot be replicated.",
        "Set `binlog_row_image = FULL` in my.cnf, or in the parameters of the RDS instance, and restart the source.",
        "database_parameters/checking_whether_the_binlog_row_image_value_is_full",
    ),
    "srcDbBinlogExpireLogsDays": CheckText(
        "Source binary log retention",
        "No retention period is set for the binary log of the source, so that it may be deleted before it is replicated.",
        "Run `CALL mysql.rds_set_configuration('binlog retention hours', n)` on the source, with n from 1 to 168. Use a longer period if the source has enough storage.",
        "database_parameters/checking_whether_the_binlog_retention_period_is_set_on_the_source_database",
    ),
    "srcDbBinlogIsOff": CheckText(
        "Source binary logging",
        "Binary logging is disabled on the source, which incremental replication requires.",
        "Add `log-bin = mysql-bin` below `[mysqld]` in my.cnf and restart the source, or enable it on the RDS instance.",
        "database_parameters/checking_whether_the_source_database_binlog_is_enabled",
    ),
    "srcDbExistUnsupportEngineTable": CheckText(
        "Storage engines",
        "Source tables use storage engines that the destination does not support.",
        "Deselect these tables, or convert them to a supported engine such as InnoDB.",
        "database_objects/checking_whether_the_source_database_tables_use_storage_engines_not_supported_by_the_destination_database",
    ),
    "srcDbIndexKeyLength": CheckText(
        "Source index key lengths",
        "Index keys of source tables are too long for the destination.",
        "Shorten the index keys that the failure reason lists, or deselect their tables.",
    ),
    "srcDbNameContainsUnsupportedSymbols": CheckText(
        "Source database names",
        "Names of source databases are not valid: only 1-64 lowercase letters, digits, hyphens and underscores are supported.",
        "Rename these databases, or deselect them.",
        "database_configuration_items/checking_whether_the_source_database_name_is_valid",
    ),
    "srcDbServerIdCheck": CheckText(
        "Source server_id",
        "`server_id` on the source does not allow incremental replication.",
        "Run `SET GLOBAL server_id = n` on the source, with n from 1 (MySQL 5.6: from 2) to 4294967295.",
        "database_parameters/checking_whether_the_source_database_server_id_meets_the_incremental_migration_requirements",
    ),
    "srcDstTableNameCaseSensitiveCheck": CheckText(
        "Case sensitivity of table names",
        "`lower_case_table_names` differs between source and destination.",
        "Set `lower_case_table_names` to the same value on both and restart the changed one. Change it on an empty database only.",
        "database_parameters/checking_whether_the_source_and_destination_database_table_names_are_consistent_in_case_sensitivity",
    ),
    "srcHasNoPkTableWhenTgtHasInvisiblePk": CheckText(
        "Primary keys",
        "Source tables have no primary key, so that data can diverge when the network is unstable.",
        "Add a primary key to each of these tables.",
        "database_objects/checking_whether_the_source_database_tables_contain_primary_keys",
    ),
    "srcRoutinesWithoutPrivilegeCheck": CheckText(
        "Privileges for stored routines",
        "The source account is not allowed to read some functions or stored procedures.",
        "Use a source account with the highest privileges.",
        "database_objects/checking_whether_the_source_database_contains_the_functions_or_stored_procedures_that_the_source_database_user_is_not_authorized_to_migrate",
    ),
    "srcTableNameContainsNonAscii": CheckText(
        "Source table names",
        "Names of source tables contain non-ASCII characters or one of `> < / \\`.",
        "Rename these tables, or deselect them with a custom object selection.",
        "database_configuration_items/checking_whether_the_source_database_table_name_is_valid",
    ),
    "srcTriggerAndEventCheck": CheckText(
        "Source triggers and events",
        "The source has triggers or events, which DRS migrates only when the job is stopped.",
        "Accept the alarm. At the end of the migration, stop the job before you disconnect the source, so that DRS migrates triggers and events.",
        "database_objects/checking_whether_the_source_database_contains_triggers_or_events",
    ),
    "srcViewNameContainsNonAscii": CheckText(
        "Source view names",
        "Names of source views contain non-ASCII characters or one of `> < / \\`.",
        "Rename these views, or deselect them with a custom object selection.",
        "database_configuration_items/checking_whether_the_source_database_view_name_is_valid",
    ),
    "srclogSlaveUpdatesCheck": CheckText(
        "Source log_slave_updates",
        "`log_slave_updates` is off on the source.",
        "Add `log_slave_updates = 1` below `[mysqld]` in my.cnf and restart the source. Accept the alarm for a standby that will never be promoted.",
        "database_parameters/checking_whether_the_log_slave_updates_value_of_the_source_database_is_correctly_configured",
    ),
    "userRequirementIsEnoughForDefiner": CheckText(
        "Privileges for definers",
        "The account lacks the privileges to migrate definers.",
        "Grant the account the privilege to set definers, or let DRS replace them (DrsSetDefinersOperator).",
    ),
    "userSelectObjectsCheck": CheckText(
        "Object selection",
        "The object selection of the job contains something that does not exist or cannot be migrated.",
        "Correct the object selection (DrsSelectObjectsOperator).",
    ),
    "dstStatusCheck": CheckText(
        "Destination instance status",
        "The destination instance or one of its read replicas is not available.",
        "Repair the instance or its read replicas. If the RDS service was unavailable, run the pre-check again later.",
        "destination_db_instance_statuses/checking_whether_the_destination_db_instance_is_available",
    ),
    "dstDbPrivilegesIsEnough": CheckText(
        "Destination account privileges",
        "The destination account lacks privileges that the migration requires.",
        "Grant the privileges that the failure reason lists. MySQL: DDL and DML privileges, EVENT, TRIGGER and GRANT OPTION; PostgreSQL: CREATEDB; DDS: an administrator role.",
        "database_user_permissions/checking_whether_the_destination_database_user_has_sufficient_permissions",
    ),
    "srcDbPrivilegesIsEnoughForIncre": CheckText(
        "Source account privileges (incremental)",
        "The source account lacks privileges that incremental replication requires.",
        "Grant the privileges that the failure reason lists. MySQL: SELECT, SHOW VIEW, EVENT, LOCK TABLES, REPLICATION SLAVE and REPLICATION CLIENT.",
        "database_user_permissions/checking_whether_the_source_database_user_has_sufficient_permissions",
    ),
    "dbVersionMeetRequirement": CheckText(
        "Database version order",
        "The destination has an earlier database version than the source, or a version is not supported.",
        "Select a destination with the same or a later version.",
        "database_versions/checking_whether_the_migration_is_from_an_earlier_database_version_to_the_same_or_a_later_version",
    ),
    "dstDbVersionSupport": CheckText(
        "Destination database version",
        "DRS does not support the database version of the destination.",
        "Use a supported destination version, or export and import the data, for example with mysqldump.",
        "database_versions/checking_whether_the_destination_database_version_is_supported",
    ),
    "srcDbVersionSupport": CheckText(
        "Source database version",
        "DRS does not support the database version of the source.",
        "Use a supported source version, or export and import the data, for example with mysqldump.",
        "database_versions/checking_whether_the_source_database_version_is_supported",
    ),
    "dstDbConnection": CheckText(
        "Destination connection",
        "DRS cannot connect to the destination with the given address, port, user and password.",
        "Check the network route, the credentials and that the account allows remote logins. PostgreSQL: also `pg_hba.conf` and `listen_addresses`.",
        "networks/checking_whether_the_destination_database_is_connected",
    ),
    "srcDbConnection": CheckText(
        "Source connection",
        "DRS cannot connect to the source with the given address, port, user and password.",
        "Check the network route, the credentials, the SSL CA certificate and that the account allows remote logins. PostgreSQL: also `pg_hba.conf` and `listen_addresses`.",
        "networks/checking_whether_the_source_database_is_connected",
    ),
    "srcCollAlreadyExistedInDstColl": CheckText(
        "Collection name conflicts",
        "The destination has a non-empty collection with the name of a source collection.",
        "Delete these collections on the destination, or select another destination instance.",
        "conflicts/checking_whether_the_destination_database_contains_a_non-empty_collection_with_the_same_name_as_the_source_database",
    ),
    "mongoTypeFitTransferMode": CheckText(
        "MongoDB instance type",
        "The job specifies a cluster as the source, but the source is not a cluster.",
        "Use a cluster as the source, or create the job again with the correct instance type.",
        "database_parameters/checking_whether_the_mongodb_instance_type_matches_the_migration_mode",
    ),
    "srcCollIndexNumCheck": CheckText(
        "Indexes per source collection",
        "Source collections have more than 10 indexes, which slows the migration down.",
        "Drop indexes that are not needed with `db.<collection>.dropIndex(<index>)` before the start, or accept the alarm.",
        "database_parameters/checking_whether_the_source_database_collections_contain_more_than_10_indexes",
    ),
    "srcDbPrivilegesIsEnough": CheckText(
        "Source account privileges",
        "The source account lacks privileges that the migration requires.",
        "Grant the privileges that the failure reason lists. MySQL: SELECT, SHOW VIEW and EVENT; MongoDB: readAnyDatabase on admin, and read on local (replica set, shards) or config (mongos).",
        "database_user_permissions/checking_whether_the_source_database_user_has_sufficient_permissions",
    ),
    "srcShardKeyConfiguration": CheckText(
        "Shard keys",
        "Collections that are migrated to a cluster have no shard key that DRS can read.",
        "Configure the shard keys of these collections on the destination before the start.",
        "database_configuration_items/checking_whether_the_shard_key_can_be_obtained_from_the_source_database",
    ),
    "srcMongoInstanceType": CheckText(
        "Source and destination MongoDB types",
        "One of the two databases is a cluster, and the other is a replica set.",
        "Change the type of the source or the destination.",
        "source_db_instance_statuses/checking_whether_the_source_and_destination_databases_are_of_the_same_type",
    ),
    "srcGtidStatusCheck": CheckText(
        "Source GTID mode",
        "GTID is disabled on the source, which disaster recovery requires.",
        "Set `gtid_mode = on`, `log_slave_updates = true` and `enforce_gtid_consistency = on` in my.cnf and restart the source.",
        "database_parameters/checking_whether_gtid_is_enabled_for_the_source_database",
    ),
    "dbTimeZoneConsistency": CheckText(
        "Time zones",
        "`time_zone` or `system_time_zone` differs between source and destination.",
        "Set the time zone of one database to that of the other.",
        "database_parameters/checking_whether_the_time_zone_values_of_the_source_and_destination_databases_are_the_same",
    ),
    "dbGroupConcatMaxLenConsistency": CheckText(
        "group_concat_max_len values",
        "`group_concat_max_len` differs between source and destination, so that query results can be truncated.",
        "Set `group_concat_max_len` to the same value on both.",
        "database_parameters/checking_whether_the_values_of_group_concat_max_len_are_consistent",
    ),
    # No page describes the following items: these texts are derived from their names.
    "srcAndDstCappedCollConsistency": CheckText(
        "Capped collections",
        "Capped collections of the same name differ between source and destination.",
        "Recreate the capped collections on the destination like those on the source, or delete them there.",
    ),
    "srcViewAlreadyExistedInDstView": CheckText(
        "View name conflicts",
        "The destination has a view with the name of a source view.",
        "Delete these views on the destination, or select another destination instance.",
    ),
    "rolesDependentCheck": CheckText(
        "Inherited roles",
        "Selected roles inherit from roles that are not selected.",
        "Also select the roles that the failure reason lists.",
    ),
    "usersDependentCheck": CheckText(
        "Roles of selected users",
        "Selected users have roles that are not selected.",
        "Also select the roles that the failure reason lists.",
    ),
    "srcCollHasTtlIndex": CheckText(
        "TTL indexes of source collections",
        "Source collections have TTL indexes: documents can expire while they are copied.",
        "Drop the TTL indexes for the duration of the migration, or accept the alarm.",
    ),
    "dbSslConsistency": CheckText(
        "SSL settings of both databases",
        "The SSL settings of the job do not match those of the databases.",
        "Enable or disable SSL in the job to match the source and the destination. If SSL is enabled, upload the CA certificate.",
    ),
    "dstChunkNumCheck": CheckText(
        "Destination chunk count",
        "The number of chunks on the destination cluster is not supported.",
        "Review the sharding of the destination collections.",
    ),
    "srcCollNameContainsUnsupportedSymbols": CheckText(
        "Source collection names",
        "Names of source collections contain characters that DRS does not support.",
        "Rename these collections, or deselect them.",
    ),
    "srcDbInstanceIsEmpty": CheckText(
        "Source content",
        "The source contains nothing to migrate.",
        "Check that the job has the correct source instance and that the account can see its databases.",
    ),
    "srcIdIndexCheck": CheckText(
        "Source _id indexes",
        "Source collections have no index on `_id`.",
        "Create the missing `_id` indexes, or deselect these collections.",
    ),
    "checkBalanceStatus": CheckText(
        "Source balancer status",
        "The balancer of the source cluster is running, and can move chunks while data is copied.",
        "Stop the balancer on the source with `sh.stopBalancer()` for the duration of the migration.",
    ),
}

"""
What each check item means, what to do when it fails, and the service's own page about it.

From the troubleshooting chapter of the user manual and the examples of drs_03_0111. DRS may send items that
are not here: the set is open, and differs by engine and mode.
"""

from __future__ import annotations

from dataclasses import dataclass

#: Where the service's manual stands; pages below are relative to it.
MANUAL_URL = "https://docs.otc.t-systems.com/data-replication-service/umn/troubleshooting/solutions_to_failed_check_items/"
_OVERVIEW_URL = f"{MANUAL_URL}index.html"


@dataclass(frozen=True, slots=True)
class CheckFacts:
    """
    What is known of one check item.

    ``page`` is relative to :data:`MANUAL_URL`, empty when there is none.
    """

    meaning: str
    hint: str
    page: str = ""

    @property
    def url(self) -> str:
        """The service's page about the item, or the overview of all of them."""
        return f"{MANUAL_URL}{self.page}.html" if self.page else _OVERVIEW_URL


_UNKNOWN = CheckFacts(
    "A check that this version of the provider does not know; the reason above is the service's own.",
    "Look at the job's pre-check page in the DRS console and at the list of failed check items in the manual.",
)


def explain(item: str) -> CheckFacts:
    """Return what is known of a check item; a general answer for one never seen before."""
    return CHECKS.get(item, _UNKNOWN)


CHECKS: dict[str, CheckFacts] = {
    "dstDbDiskSize": CheckFacts(
        "Destination has enough free storage (2.5x source for MySQL, 1.5x for PostgreSQL and MongoDB).",
        "Scale up or clean up destination storage; freed space counts after 2-3 minutes.",
        "disk_space/checking_whether_the_destination_database_has_sufficient_storage_space",
    ),
    "checkIncreSrcDbExistedInDstDb": CheckFacts(
        "Destination holds no database named like one on the source (also required for incremental jobs).",
        "Drop the same-named destination databases if they are not needed, or pick another destination instance.",
        "conflicts/checking_whether_the_names_of_the_source_and_destination_databases_are_the_same",
    ),
    "dbCharacterSetConsistency": CheckFacts(
        "Server character sets match on both ends.",
        "Align character_set_server on source and destination.",
        "database_parameters/checking_whether_the_source_and_destination_database_character_sets_are_consistent",
    ),
    "dbClockConsistency": CheckFacts(
        "Clocks of both ends agree.", "Synchronise both servers with the same time source (NTP).", ""
    ),
    "dbCollationServerConsistency": CheckFacts(
        "COLLATION_SERVER has the same value on both ends.",
        "Align collation_server on source and destination.",
        "database_parameters/checking_whether_the_collation_server_values_of_the_source_and_destination_databases_are_the_same",
    ),
    "dbIsolationLevelConsistency": CheckFacts(
        "Transaction isolation level is the same on both ends.",
        "Set tx_isolation or transaction_isolation on the destination to the source value.",
        "database_parameters/checking_whether_the_transaction_isolation_levels_are_consistent",
    ),
    "dbParamConsistency": CheckFacts(
        "Parameters that matter for moving table structure agree.",
        "Align the parameters that failed_reason or the data name.",
        "",
    ),
    "dbServerUuidConsistency": CheckFacts(
        "SERVER_UUID differs, so source and destination are not the same MySQL server.",
        "Check the endpoints; they must be two different MySQL servers.",
        "database_parameters/checking_whether_the_server_uuid_values_of_the_source_and_destination_databases_are_the_same",
    ),
    "dstMaxAllowedPacketCheck": CheckFacts(
        "Destination max_allowed_packet is large enough (100 MB).",
        "Raise max_allowed_packet on the destination above 100 MB.",
        "database_parameters/checking_whether_the_max_allowed_packet_value_of_the_destination_database_is_too_small",
    ),
    "hasForeignKeyOnUnselectedTable": CheckFacts(
        "Tables referenced by foreign keys of selected tables are selected too.",
        "Add the referenced tables to the selection.",
        "object_dependencies/checking_whether_referenced_tables_are_selected_for_migration",
    ),
    "innodbStrictModeConsistency": CheckFacts(
        "innodb_strict_mode has the same value on both ends.",
        "Align innodb_strict_mode, for a cloud destination through its parameter group.",
        "database_parameters/checking_whether_the_innodb_strict_mode_values_of_the_source_and_destination_databases_are_the_same",
    ),
    "isUserRequireSslLink": CheckFacts(
        "SSL settings fit what the database accounts require (REQUIRE SSL, certificate uploaded).",
        "Upload the certificate and enable SSL, turn SSL off, or use another account; the alarm form can be confirmed.",
        "ssl_connections/checking_whether_the_ssl_connection_is_correctly_configured",
    ),
    "sqlModeConsistency": CheckFacts(
        "SQL_MODE has the same value on both ends.",
        "Align SQL_MODE and keep forbidden values out on both ends.",
        "database_parameters/checking_whether_the_sql_mode_values_of_the_source_and_destination_databases_are_the_same",
    ),
    "sqlModeNoEngine": CheckFacts(
        "Destination sql_mode is not NO_ENGINE_SUBSTITUTION when MyISAM tables are migrated.",
        "Set another sql_mode on the destination.",
        "database_parameters/checking_whether_the_sql_mode_value_in_the_destination_database_is_not_no_engine_substitution",
    ),
    "srcBinlogFormatCheck": CheckFacts(
        "Source binlog format is ROW.",
        "Set binlog_format=ROW on the source and restart it or close existing connections.",
        "database_parameters/checking_whether_the_source_database_binlog_is_row-based",
    ),
    "srcBinlogRowImageCheck": CheckFacts(
        "binlog_row_image is FULL on the source.",
        "Set binlog_row_image to FULL and restart the source.",
        "database_parameters/checking_whether_the_binlog_row_image_value_is_full",
    ),
    "srcDbBinlogExpireLogsDays": CheckFacts(
        "Source keeps its binlogs for a configured time.",
        "Set one, e.g. call mysql.rds_set_configuration('binlog retention hours', n) with n 1-168; longer is safer.",
        "database_parameters/checking_whether_the_binlog_retention_period_is_set_on_the_source_database",
    ),
    "srcDbBinlogIsOff": CheckFacts(
        "Binary logging is on at the source.",
        "Enable log-bin on the source (my.cnf under [mysqld], restart).",
        "database_parameters/checking_whether_the_source_database_binlog_is_enabled",
    ),
    "srcDbExistUnsupportEngineTable": CheckFacts(
        "Source tables use only storage engines the destination supports.",
        "Deselect tables with unsupported engines (or convert them first).",
        "database_objects/checking_whether_the_source_database_tables_use_storage_engines_not_supported_by_the_destination_database",
    ),
    "srcDbIndexKeyLength": CheckFacts(
        "Source index key lengths are acceptable.",
        "Shorten the index keys that the data names, or deselect their tables.",
        "",
    ),
    "srcDbNameContainsUnsupportedSymbols": CheckFacts(
        "Source database names use only allowed characters (1-64: lower case, digits, hyphen, underscore).",
        "Rename the listed databases or leave them out of the selection.",
        "database_configuration_items/checking_whether_the_source_database_name_is_valid",
    ),
    "srcDbServerIdCheck": CheckFacts(
        "Source server_id is valid for incremental replication.",
        "SET GLOBAL server_id=n, n from 1 (MySQL 5.6: from 2) to 4294967296.",
        "database_parameters/checking_whether_the_source_database_server_id_meets_the_incremental_migration_requirements",
    ),
    "srcDstTableNameCaseSensitiveCheck": CheckFacts(
        "lower_case_table_names gives the same case handling of names on both ends.",
        "Align lower_case_table_names, or follow the guide for upper-case names; change it on an empty database.",
        "database_parameters/checking_whether_the_source_and_destination_database_table_names_are_consistent_in_case_sensitivity",
    ),
    "srcHasNoPkTableWhenTgtHasInvisiblePk": CheckFacts(
        "Tables to migrate have primary keys.",
        "Add primary keys; without them data can diverge on an unstable network.",
        "database_objects/checking_whether_the_source_database_tables_contain_primary_keys",
    ),
    "srcRoutinesWithoutPrivilegeCheck": CheckFacts(
        "Source account may migrate all functions and stored procedures found.",
        "Use a source account with the highest privileges.",
        "database_objects/checking_whether_the_source_database_contains_the_functions_or_stored_procedures_that_the_source_database_user_is_not_authorized_to_migrate",
    ),
    "srcTableNameContainsNonAscii": CheckFacts(
        "Source table names have no non-ASCII or other unsupported characters such as > < / \\",
        "Rename the listed tables or deselect them with a custom object selection.",
        "database_configuration_items/checking_whether_the_source_database_table_name_is_valid",
    ),
    "srcTriggerAndEventCheck": CheckFacts(
        "Source has triggers or events, which are only moved when the job is stopped.",
        "Confirm; later stop the job before cutting the network so triggers and events are moved.",
        "database_objects/checking_whether_the_source_database_contains_triggers_or_events",
    ),
    "srcViewNameContainsNonAscii": CheckFacts(
        "Source view names have no non-ASCII or other unsupported characters such as > < / \\",
        "Rename the listed views or deselect them with a custom object selection.",
        "database_configuration_items/checking_whether_the_source_database_view_name_is_valid",
    ),
    "srclogSlaveUpdatesCheck": CheckFacts(
        "log_slave_updates is on at the source.",
        "Add log_slave_updates=1 to my.cnf and restart the source; a standby without failover may be left as is.",
        "database_parameters/checking_whether_the_log_slave_updates_value_of_the_source_database_is_correctly_configured",
    ),
    "userRequirementIsEnoughForDefiner": CheckFacts(
        "Account may migrate definers.",
        "Use an account that may set definers, or let DRS replace the definers.",
        "",
    ),
    "userSelectObjectsCheck": CheckFacts(
        "Object selection is valid.",
        "Correct the object selection of the job: something in it does not exist or cannot be moved.",
        "",
    ),
    "dstStatusCheck": CheckFacts(
        "Destination instance and its read replicas are available.",
        "Repair the destination instance or its replicas; retry if the RDS service was at fault.",
        "destination_db_instance_statuses/checking_whether_the_destination_db_instance_is_available",
    ),
    "dstDbPrivilegesIsEnough": CheckFacts(
        "Destination account has the needed privileges.",
        "Grant what failed_reason names, e.g. DDL, DML, GRANT OPTION (MySQL), CREATEDB (PostgreSQL), admin roles (DDS).",
        "database_user_permissions/checking_whether_the_destination_database_user_has_sufficient_permissions",
    ),
    "srcDbPrivilegesIsEnoughForIncre": CheckFacts(
        "Source account has the needed privileges for the chosen task mode.",
        "MySQL: grant SELECT, SHOW VIEW, EVENT, LOCK TABLES, REPLICATION SLAVE and REPLICATION CLIENT.",
        "database_user_permissions/checking_whether_the_source_database_user_has_sufficient_permissions",
    ),
    "dbVersionMeetRequirement": CheckFacts(
        "Destination version is the same as or newer than the source version.",
        "Choose a destination of the same or a later version.",
        "database_versions/checking_whether_the_migration_is_from_an_earlier_database_version_to_the_same_or_a_later_version",
    ),
    "dstDbVersionSupport": CheckFacts(
        "Destination version is supported.",
        "Use a supported destination version, or export and import by hand.",
        "database_versions/checking_whether_the_destination_database_version_is_supported",
    ),
    "srcDbVersionSupport": CheckFacts(
        "Source version is supported.",
        "Use a supported source version, or export and import by hand.",
        "database_versions/checking_whether_the_source_database_version_is_supported",
    ),
    "dstDbConnection": CheckFacts(
        "Destination address, port, user and password work.",
        "Check network path, credentials, remote-login permission and, for PostgreSQL, pg_hba.conf and listen_addresses.",
        "networks/checking_whether_the_destination_database_is_connected",
    ),
    "srcDbConnection": CheckFacts(
        "Source address, port, user and password work.",
        "Check network path, credentials, remote-login permission, SSL CA and, for PostgreSQL, pg_hba.conf.",
        "networks/checking_whether_the_source_database_is_connected",
    ),
    "srcCollAlreadyExistedInDstColl": CheckFacts(
        "No non-empty collection exists under the same name on source and destination.",
        "Remove the colliding collections from the destination or choose another destination instance.",
        "conflicts/checking_whether_the_destination_database_contains_a_non-empty_collection_with_the_same_name_as_the_source_database",
    ),
    "mongoTypeFitTransferMode": CheckFacts(
        "Declared MongoDB instance type fits the real one (cluster really is a cluster).",
        "Recreate the job with the right source type or use a cluster source.",
        "database_parameters/checking_whether_the_mongodb_instance_type_matches_the_migration_mode",
    ),
    "srcCollIndexNumCheck": CheckFacts(
        "No source collection has more than 10 indexes (slows migration).",
        "Drop unneeded indexes before starting, or accept the longer run.",
        "database_parameters/checking_whether_the_source_database_collections_contain_more_than_10_indexes",
    ),
    "srcDbPrivilegesIsEnough": CheckFacts(
        "Source account has the needed privileges for the chosen task mode.",
        "MongoDB: grant readAnyDatabase on admin plus read on local (replica set, shards) or config (mongos).",
        "database_user_permissions/checking_whether_the_source_database_user_has_sufficient_permissions",
    ),
    "srcShardKeyConfiguration": CheckFacts(
        "Every collection to migrate into a cluster has a shard key that can be read or is set on the destination.",
        "Review the listed collections and configure shard keys on the destination before starting.",
        "database_configuration_items/checking_whether_the_shard_key_can_be_obtained_from_the_source_database",
    ),
    "srcMongoInstanceType": CheckFacts(
        "Source and destination are both clusters or both replica sets.",
        "Change the source or destination to the same type.",
        "source_db_instance_statuses/checking_whether_the_source_and_destination_databases_are_of_the_same_type",
    ),
    "srcGtidStatusCheck": CheckFacts(
        "GTID mode is on at the source (needed for DR).",
        "Set gtid_mode=on, log_slave_updates=true, enforce_gtid_consistency=on; restart the source.",
        "database_parameters/checking_whether_gtid_is_enabled_for_the_source_database",
    ),
    "dbTimeZoneConsistency": CheckFacts(
        "TIME_ZONE and SYSTEM_TIME_ZONE match on both ends.",
        "Align the time zone on source and destination.",
        "database_parameters/checking_whether_the_time_zone_values_of_the_source_and_destination_databases_are_the_same",
    ),
    "dbGroupConcatMaxLenConsistency": CheckFacts(
        "group_concat_max_len has the same value on both ends (else values may be cut).",
        "Align group_concat_max_len on both ends.",
        "database_parameters/checking_whether_the_values_of_group_concat_max_len_are_consistent",
    ),
    # No page describes these: read from their names.
    "srcAndDstCappedCollConsistency": CheckFacts(
        "Capped collections of the same name are alike on both ends.",
        "Make the capped collections on the destination like those on the source, or remove them there.",
    ),
    "srcViewAlreadyExistedInDstView": CheckFacts(
        "No view exists under the same name on source and destination.",
        "Drop the colliding views on the destination or choose another destination instance.",
    ),
    "rolesDependentCheck": CheckFacts(
        "Roles that the selected roles build on are selected too.",
        "Select the roles that failed_reason or the data name as well.",
    ),
    "usersDependentCheck": CheckFacts(
        "Roles that the selected users have are selected too.",
        "Select the roles that failed_reason or the data name as well.",
    ),
    "srcCollHasTtlIndex": CheckFacts(
        "Source collections have TTL indexes; documents can expire while they are copied.",
        "Confirm it, or drop the TTL indexes for the time of the migration.",
    ),
    "dbSslConsistency": CheckFacts(
        "The SSL settings fit both databases.",
        "Turn SSL on or off alike in the job's endpoints and the databases, and upload the certificate.",
    ),
    "dstChunkNumCheck": CheckFacts(
        "The destination cluster has a number of chunks that it can take.",
        "Review the sharding of the destination collections.",
    ),
    "srcCollNameContainsUnsupportedSymbols": CheckFacts(
        "Source collection names use only characters that DRS supports.",
        "Rename the listed collections or leave them out of the selection.",
    ),
    "srcDbInstanceIsEmpty": CheckFacts(
        "The source holds something to migrate.",
        "Check that the endpoint is the right instance and that its databases are visible to the account.",
    ),
    "srcIdIndexCheck": CheckFacts(
        "Every source collection has its _id index.",
        "Create the missing _id indexes or leave the collections out of the selection.",
    ),
    "checkBalanceStatus": CheckFacts(
        "The balancer of a source cluster is off while data is copied.",
        "Stop the balancer on the source (sh.stopBalancer()) for the time of the migration.",
    ),
}

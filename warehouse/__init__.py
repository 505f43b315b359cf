"""Check, keep, merge, index and scan what was read from departments: Parquet inside Apache Iceberg tables.

Reading the departments' systems is `connectors`; deciding who may see a row is `catalog.decide`.
"""

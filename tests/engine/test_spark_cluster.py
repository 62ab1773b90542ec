"""A cluster of Spark's own, a master and a worker, and facts that its executors reach as they would an object store's: by a URL."""

from contextlib import ExitStack

from spark_servers import PROGRAMS, QUICK, export_sample_month, free_port, plain_environment, run, served
from webhdfs_server import served_folder

DEPLOY = "org.apache.spark.deploy"
CONFIG = f"""
[spark.conf]
"spark.driver.host" = "127.0.0.1"
"spark.driver.bindAddress" = "127.0.0.1"
"spark.driver.extraJavaOptions" = "{QUICK}"
"spark.executor.extraJavaOptions" = "{QUICK}"
"spark.sql.shuffle.partitions" = "2"
"""


def test_a_cluster_bills_the_sample_month_from_a_url_on_the_network_to_the_same_bytes(tmp_path):
    lake = tmp_path / "lake"
    export_sample_month(lake / "facts of October")
    expected = run(lake / "facts of October", "--store", ":memory:", folder=tmp_path)
    assert expected.returncode == 0
    (tmp_path / "metering.toml").write_text(CONFIG)
    port, own_port = free_port(), free_port()
    master = f"spark://127.0.0.1:{port}"
    environment = plain_environment() | {"SPARK_DAEMON_JAVA_OPTS": QUICK, "SPARK_DAEMON_MEMORY": "256m"}
    program = [str(PROGRAMS / "spark-class")]
    there = ["--host", "127.0.0.1", "--webui-port", "0"]
    with ExitStack() as stack:
        command = [*program, f"{DEPLOY}.master.Master", *there, "--port", str(port)]
        stack.enter_context(served(command, port, tmp_path / "master.txt", environment))
        command = [*program, f"{DEPLOY}.worker.Worker", *there, "--port", str(own_port), "--cores", "2", "--memory", "2g"]
        stack.enter_context(
            served([*command, "--work-dir", str(tmp_path / "work"), master], own_port, tmp_path / "worker.txt", environment)
        )
        url, asked = stack.enter_context(served_folder(lake))
        found = run(f"{url}/facts of October", "--engine", "spark", "--master", master, folder=tmp_path)
    assert (found.returncode, found.stdout) == (0, expected.stdout), found.stderr.decode()
    executors = [place.name for place in (tmp_path / "work").glob("app-*/*")]
    assert executors, "the worker was given nothing to do"
    assert {name for name in asked if name.startswith("2026-10-")} == {f"2026-10-{day:02}.parquet" for day in range(1, 32)}

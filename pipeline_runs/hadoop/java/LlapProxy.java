package org.apache.hadoop.hive.llap.io.api;

/** The one class of Hive's that Spark's distribution lacks and a query needs: it says that this is no LLAP daemon. */
public class LlapProxy {
    public static boolean isDaemon() {
        return false;
    }
}

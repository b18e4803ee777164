import java.io.File;
import java.net.URI;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;

/** A user's own jar: runs a script that lies in S3 with arguments, and ends as it does. */
public class ScriptRunner {
    public static void main(String[] arguments) throws Exception {
        File script = File.createTempFile("script", ".sh");
        FileSystem bucket = FileSystem.get(URI.create(arguments[0]), new Configuration());
        bucket.copyToLocalFile(new Path(arguments[0]), new Path(script.toURI()));
        List command = new ArrayList();
        command.add("bash");
        command.add(script.getPath());
        command.addAll(Arrays.asList(arguments).subList(1, arguments.length));
        System.exit(new ProcessBuilder(command).inheritIO().start().waitFor());
    }
}

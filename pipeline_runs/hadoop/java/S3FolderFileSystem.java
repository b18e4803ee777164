package tests;

import java.io.File;
import java.io.IOException;
import java.net.URI;

import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.fs.RawLocalFileSystem;
import org.apache.hadoop.fs.permission.FsPermission;

/** The file system s3://BUCKET/: a folder of that name below the one of the system property `s3.buckets`. */
public class S3FolderFileSystem extends RawLocalFileSystem {
    private URI bucket;

    public void initialize(URI uri, Configuration configuration) throws IOException {
        bucket = URI.create(uri.getScheme() + "://" + uri.getAuthority());
        super.initialize(uri, configuration);
    }

    public URI getUri() {
        return bucket;
    }

    public Path getWorkingDirectory() {
        return new Path(bucket.toString() + "/");
    }

    protected Path getInitialWorkingDirectory() {
        return new Path("/");
    }

    public File pathToFile(Path path) {
        File folder = new File(System.getProperty("s3.buckets"), bucket.getAuthority());
        return new File(folder, path.toUri().getPath());
    }

    public FileStatus getFileStatus(Path path) throws IOException {
        FileStatus found = super.getFileStatus(path);
        FsPermission all = new FsPermission((short) 0777);
        return new FileStatus(
            found.getLen(), found.isDirectory(), 1, found.getBlockSize(), found.getModificationTime(), 0, all, "hadoop", "hadoop",
            makeQualified(path));
    }
}
